using System.Globalization;
using System.Text;

namespace Portico.Cli;

/// <summary>One diagram of a page: two axes, and what is drawn between them. Times are on the x axis, in seconds.</summary>
internal sealed class SvgPanel
{
    /// <summary>Points of one line; more are thinned out to what a screen can tell apart.</summary>
    private const int PointsMax = 4000;
    private const int LegendStep = 150;

    private static readonly double[] s_steps = [1, 2, 2.5, 5, 10];

    private readonly StringBuilder _svg;
    private readonly double _left;
    private readonly double _top;
    private readonly double _width;
    private readonly double _height;
    private readonly double _xMin;
    private readonly double _xMax;
    private readonly double _yMax;
    private int _legends;

    /// <summary>Draws the frame, the axes and the title.</summary>
    public SvgPanel(
        StringBuilder svg, string title, string unit, (double Left, double Top, double Width, double Height) place,
        (double Min, double Max) x, double yMax)
    {
        _svg = svg;
        (_left, _top, _width, _height) = place;
        (_xMin, _xMax) = x;
        double step = Step(Math.Max(yMax, 1e-9), _height / 36);
        _yMax = Math.Ceiling(Math.Max(yMax, 1e-9) / step) * step;
        Add($"<text class=\"title\" x=\"{_left:0.#}\" y=\"{_top - 8:0.#}\">{title}</text>");
        for (double y = 0; y <= _yMax * 1.0001; y += step)
        {
            Add($"<path class=\"grid\" d=\"M{_left:0.#} {Y(y):0.#}h{_width:0.#}\"/>");
            Add($"<text class=\"tick\" text-anchor=\"end\" x=\"{_left - 6:0.#}\" y=\"{Y(y) + 4:0.#}\">{Label(y, unit)}</text>");
        }

        double xStep = Step(_xMax - _xMin, _width / 90);
        for (double t = Math.Ceiling(_xMin / xStep) * xStep; t <= _xMax + (xStep * 1e-6); t += xStep)
        {
            Add($"<path class=\"grid\" d=\"M{X(t):0.#} {_top:0.#}v{_height:0.#}\"/>");
            Add($"<text class=\"tick\" text-anchor=\"middle\" x=\"{X(t):0.#}\" y=\"{_top + _height + 15:0.#}\">{Seconds(t, xStep)}</text>");
        }
    }

    /// <summary>A line from point to point, or, as a stair, level until the next.</summary>
    public void Line(string style, string legend, IReadOnlyList<(double X, double Y)> points, bool isStair)
    {
        Legend(style, legend);
        if (points.Count == 0)
        {
            return;
        }

        StringBuilder path = new();
        foreach ((double x, double y) in Thin(points))
        {
            string command = path.Length == 0 ? "M" : isStair ? "H" : "L";
            path.Append(CultureInfo.InvariantCulture, $"{command}{X(x):0.##}");
            path.Append(isStair && command == "H" ? "V" : " ").Append(CultureInfo.InvariantCulture, $"{Y(y):0.##}");
        }

        Add($"<path class=\"{style} line\" d=\"{path}\"/>");
    }

    /// <summary>An upright bar for each stretch of bytes; bars that touch in one column of a screen are one.</summary>
    public void Bars(string style, string legend, IEnumerable<SentBytes> stretches)
    {
        Legend(style, legend);
        StringBuilder path = new();
        double column = double.NaN, low = 0, high = 0;
        foreach (SentBytes stretch in stretches)
        {
            double x = Math.Round(X(stretch.Seconds) * 2) / 2;
            double top = Y(stretch.End), bottom = Math.Max(Y(stretch.Start), top + 1);
            if (x == column && top <= low + 0.5 && bottom >= high - 0.5)
            {
                (high, low) = (Math.Min(high, top), Math.Max(low, bottom));
                continue;
            }

            AppendBar();
            (column, high, low) = (x, top, bottom);
        }

        AppendBar();
        if (path.Length > 0)
        {
            Add($"<path class=\"{style} line\" d=\"{path}\"/>");
        }

        void AppendBar()
        {
            if (!double.IsNaN(column))
            {
                path.Append(CultureInfo.InvariantCulture, $"M{column:0.#} {low:0.##}V{high:0.##}");
            }
        }
    }

    /// <summary>A dot for each point.</summary>
    public void Dots(string style, string legend, IReadOnlyList<(double X, double Y)> points)
    {
        Legend(style, legend);
        foreach ((double x, double y) in Thin(points))
        {
            Add($"<circle class=\"{style} dot\" cx=\"{X(x):0.##}\" cy=\"{Y(y):0.##}\" r=\"1.6\"/>");
        }
    }

    /// <summary>A cross for each point.</summary>
    public void Crosses(string style, string legend, IEnumerable<(double X, double Y)> points)
    {
        Legend(style, legend);
        StringBuilder path = new();
        foreach ((double x, double y) in points)
        {
            path.Append(CultureInfo.InvariantCulture, $"M{X(x) - 3:0.#} {Y(y) - 3:0.#}l6 6m0 -6l-6 6");
        }

        if (path.Length > 0)
        {
            Add($"<path class=\"{style} line\" d=\"{path}\"/>");
        }
    }

    private void Legend(string style, string legend)
    {
        double x = _left + _width - ((_legends + 1) * LegendStep), y = _top - 12;
        _legends++;
        Add($"<path class=\"{style} line\" d=\"M{x:0.#} {y:0.#}h18\" style=\"stroke-width:3\"/>");
        Add($"<text class=\"tick\" x=\"{x + 23:0.#}\" y=\"{y + 4:0.#}\">{legend}</text>");
    }

    private static IEnumerable<(double X, double Y)> Thin(IReadOnlyList<(double X, double Y)> points)
    {
        // Of each run of points that share a column the extremes stay: a peak must not vanish.
        int run = (points.Count + PointsMax - 1) / PointsMax;
        for (int i = 0; i < points.Count; i += run)
        {
            int end = Math.Min(i + run, points.Count);
            int low = i, high = i;
            for (int j = i; j < end; j++)
            {
                low = points[j].Y < points[low].Y ? j : low;
                high = points[j].Y > points[high].Y ? j : high;
            }

            yield return points[Math.Min(low, high)];
            if (low != high)
            {
                yield return points[Math.Max(low, high)];
            }
        }
    }

    private double X(double seconds) => _left + ((seconds - _xMin) / (_xMax - _xMin) * _width);

    private double Y(double value) => _top + _height - (Math.Clamp(value, 0, _yMax) / _yMax * _height);

    /// <summary>A round distance of ticks of which about that many fit.</summary>
    private static double Step(double range, double ticks)
    {
        double raw = range / Math.Max(ticks, 1);
        double power = Math.Pow(10, Math.Floor(Math.Log10(raw)));
        return s_steps.First(s => s * power >= raw * 0.9999) * power;
    }

    private static string Seconds(double t, double step) =>
        step < 1e-3 ? string.Create(CultureInfo.InvariantCulture, $"{t * 1e6:0.##} µs")
        : step < 1 ? string.Create(CultureInfo.InvariantCulture, $"{t * 1e3:0.###} ms")
        : string.Create(CultureInfo.InvariantCulture, $"{t:0.###} s");

    private static string Label(double value, string unit)
    {
        string text = unit != "B" ? value.ToString("0.###", CultureInfo.InvariantCulture)
            : value >= 1e9 ? (value / 1e9).ToString("0.##", CultureInfo.InvariantCulture) + " G"
            : value >= 1e6 ? (value / 1e6).ToString("0.##", CultureInfo.InvariantCulture) + " M"
            : value >= 1e3 ? (value / 1e3).ToString("0.##", CultureInfo.InvariantCulture) + " k"
            : value.ToString("0.##", CultureInfo.InvariantCulture) + " ";
        return unit == "B" ? text + unit : $"{text} {unit}";
    }

    private void Add(FormattableString element) => _svg.Append(element.ToString(CultureInfo.InvariantCulture)).Append('\n');
}

using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using Portico.Interop.Tests.Kernel;

namespace Portico.Interop.Tests.Run;

/// <summary>
/// What shaping does to real programs. A real clock can only be late: where one is used, the bound that a busy machine could break has
/// several attempts, and no other test runs at the same time.
/// </summary>
[Collection(ByTheClock)]
[CollectionDefinition(ByTheClock, DisableParallelization = true)]
public sealed class ShapingTests : IDisposable
{
    private const string ByTheClock = "By the clock";
    private const int Attempts = 4;
    private readonly HostNamespace _host = new();

    public void Dispose() => _host.Dispose();

    [Theory]
    [InlineData("--delay 100ms", 200)]
    [InlineData("--delay up=150ms", 150)]
    [InlineData("--delay down=150ms@10.0.2.0/24", 150)]
    [InlineData("--delay 1s --delay 60ms@portico.internal", 120)]
    [InlineData("--delay 500ms@192.0.2.1 --delay 50ms", 100)]
    public void A_ping_takes_the_delay_there_and_back(string options, int milliseconds)
    {
        double least = 0;
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            string output = _host.RunShell("ping -n -c 20 -i 0.02 -W 10 10.0.2.2", options.Split(' ')).Succeeded();
            Assert.Contains(" 0% packet loss", output, StringComparison.Ordinal);
            least = double.Parse(output.Split("min/avg/max/mdev = ")[1].Split('/')[0], CultureInfo.InvariantCulture);
            Assert.True(least >= milliseconds, output);
            if (least <= milliseconds * 1.05)
            {
                return;
            }
        }

        Assert.Fail($"the fastest ping took {least} ms");
    }

    [Theory]
    [InlineData("--rate 10mbit --queue 100", "")]
    [InlineData("--rate up=1gbit,down=10mbit@192.0.2.1 --queue 100", "-R")]
    public void Iperf3_measures_the_rate(string options, string direction)
    {
        using Process server = _host.StartProgram("iperf3", "-s", "-p", "5201", "--forceflush");
        try
        {
            server.StandardOutput.ReadLine();
            server.StandardOutput.ReadLine();

            // Of 1,500 bytes 1,448 are payload.
            const double Goodput = 10e6 * 1448 / 1500;
            double measured = 0;
            for (int attempt = 0; attempt < Attempts; attempt++)
            {
                string json = _host.RunShell($"iperf3 -c 192.0.2.1 -p 5201 -t 4 -O 1 -J {direction}", options.Split(' ')).Succeeded();
                measured = JsonDocument.Parse(json).RootElement.GetProperty("end").GetProperty("sum_received")
                    .GetProperty("bits_per_second").GetDouble();
                Assert.True(measured <= Goodput * 1.05, json);
                if (measured >= Goodput * 0.95)
                {
                    return;
                }
            }

            Assert.Fail($"{measured} bit/s");
        }
        finally
        {
            server.Kill();
        }
    }

    [Fact]
    public void Pings_spread_over_the_jitter()
    {
        // 40 ms apart, so that none has to wait for the one before it.
        double middle = 0;
        double distance = 0;
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            string output = _host.RunShell(
                "ping -n -c 300 -i 0.04 -W 10 10.0.2.2", "--delay", "up=20ms", "--jitter", "up=19ms", "--seed", "1").Succeeded();
            double[] times = [.. output.Split('\n').Where(l => l.Contains("time=", StringComparison.Ordinal))
                .Select(l => double.Parse(l.Split("time=")[1].Split(' ')[0], CultureInfo.InvariantCulture)).Order()];
            Assert.Equal(300, times.Length);
            Assert.True(times[0] >= 1, output);
            middle = times.Average();
            distance = times.Average(t => Math.Abs(t - 20));

            // The mean distance from the middle of an even spread of ±19 ms is 9.5 ms.
            if (middle is >= 19 and <= 21 && distance is >= 9.5 * 0.95 and <= 9.5 * 1.05)
            {
                return;
            }
        }

        Assert.Fail($"a mean of {middle} ms, and {distance} ms from the middle");
    }

    /// <summary>Enough for the spread of a share of 20 % to stay well under 5 % of it: one standard deviation is 1 %.</summary>
    private const int Datagrams = 40_000;

    /// <summary>Sends numbered datagrams from inside, and returns the numbers that arrived, as often as they did.</summary>
    private List<int> Arrived(string options)
    {
        // Traffic is the same where it goes to the same port.
        const int Port = 7000;
        const int SolSocket = 1;
        const int SoReceiveBufferForce = 33;
        using Socket server = _host.BindUdp(HostNamespace.Ipv4, Port);
        server.SetRawSocketOption(SolSocket, SoReceiveBufferForce, BitConverter.GetBytes(32 << 20));
        string script =
            $"""
            import socket,struct
            s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
            # The kernel drops what does not fit before the device. What asks the gateway, which nothing is done to, waits for it.
            g=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); g.connect(('10.0.2.2',53)); g.settimeout(60)
            for i in range({Datagrams}):
                s.sendto(struct.pack('<i',i)+bytes(96),('192.0.2.1',{Port}))
                if i%100==99:
                    g.send(struct.pack('>6H',1,0x100,1,0,0,0)+b'\7portico\10internal\0\0\1\0\1'); g.recv(1000)
            """;
        using Process process = _host.StartPortico([.. $"run {options} --".Split(' '), "python3", "-c", script]);
        List<int> arrived = [];
        byte[] buffer = new byte[1000];
        while (!process.HasExited || server.Available > 0)
        {
            if (server.Poll(50_000, SelectMode.SelectRead))
            {
                server.Receive(buffer);
                arrived.Add(BitConverter.ToInt32(buffer));
            }
        }

        CommandResult.WaitFor(process).Succeeded();
        return arrived;
    }

    private static void AssertShare(double asked, int hit, int of) => Assert.InRange(hit, of * asked * 0.95, of * asked * 1.05);

    [Fact]
    public void A_seed_loses_the_share_that_was_asked_for_and_the_same_datagrams_again()
    {
        List<int> first = Arrived("--loss up=20%@192.0.2.1 --seed 42");
        Assert.Equal(first.Count, first.Distinct().Count());
        AssertShare(0.2, Datagrams - first.Count, Datagrams);

        // Whatever else is done to them.
        List<int> second = Arrived("--loss up=20%@192.0.2.1 --seed 42 --delay 5ms --duplicate up=20%@192.0.2.1");
        HashSet<int> survivors = [.. second];
        Assert.Equal(first, survivors.Order());
        AssertShare(0.2, second.Count - survivors.Count, survivors.Count);
        Assert.False(survivors.SetEquals(Arrived("--loss up=20%@192.0.2.1 --seed 43")), "another seed lost the same datagrams");
    }

    [Fact]
    public void What_is_set_for_the_other_direction_or_another_destination_hits_nothing() => Assert.Equal(
        Enumerable.Range(0, Datagrams), Arrived("--loss down=100%@192.0.2.1 --loss 100%@198.51.100.1 --corrupt 100%@192.0.2.1:7001"));

    [Fact]
    public void A_flipped_bit_is_found_by_the_receivers_checksum() =>
        AssertShare(0.2, Datagrams - Arrived("--corrupt up=20%@192.0.2.1 --seed 42").Count, Datagrams);

    [Theory]
    [InlineData(
        "--loss: '200%' is not a share from 0 to 100%, such as 2% or 0.02 (also up=...,down=... and ...@DESTINATION)", "--loss", "200%")]
    [InlineData("--loss: 'to=1%' is not a share from 0 to 100%, such as 2% or 0.02", "--loss", "to=1%")]
    [InlineData("--delay: '50m' is not a time such as 50ms, 1.5s or 200us, at most an hour", "--delay", "50m")]
    [InlineData("--rate: '9furlongs' is not a rate such as 512kbit, 10mbit or 1gbit, or none", "--rate", "9furlongs")]
    [InlineData("--queue: '0' is not a number of packets from 1 to 1000000", "--queue", "0")]
    [InlineData("--loss-burst: a loss of 90% has bursts of at least 9 packets", "--loss-burst", "2", "--loss", "90%")]
    [InlineData("--delay: 10.0.0.1/8 has bits behind its prefix: 10.0.0.0/8 or 10.0.0.1?", "--delay", "1ms@10.0.0.1/8")]
    [InlineData("--delay: '1.2.3' is no address and no CIDR", "--delay", "1ms@1.2.3")]
    [InlineData("--partition: '70000' is no port from 1 to 65535", "--partition", "192.0.2.1:70000")]
    [InlineData("'no.such.name.invalid' has no address", "--partition", "no.such.name.invalid")]
    public void What_is_not_valid_has_one_line_and_a_status(string message, params string[] options)
    {
        CommandResult result = _host.Portico(["run", .. options, "--", "true"]);
        Assert.Equal(125, result.ExitCode);
        Assert.Single(result.Error.TrimEnd('\n').Split('\n'));
        Assert.StartsWith($"portico: {message}", result.Error, StringComparison.Ordinal);
    }
}

using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Perfolizer.Horology;

namespace Portico.Bench.Micro;

/// <summary>The small benchmarks: one data structure or one header each, with settings that run all of them in a few minutes.</summary>
public static class MicroCommand
{
    /// <summary>Runs those that the arguments choose (all by default); the exit code is 0 if each gave a result.</summary>
    public static int Run(string[] args)
    {
        // In this process: nothing is generated and built for each benchmark.
        Job job = Job.Default
            .WithToolchain(new InProcessEmitToolchain(TimeSpan.FromMinutes(2), logOutput: false))
            // Long enough for the last tier of compilation also on a busy machine.
            .WithWarmupCount(12)
            .WithIterationCount(7)
            .WithIterationTime(TimeInterval.FromMilliseconds(100));
        IConfig config = ManualConfig.CreateEmpty()
            .AddJob(job)
            .AddLogger(ConsoleLogger.Default)
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .AddDiagnoser(MemoryDiagnoser.Default)
            .AddExporter(MarkdownExporter.GitHub)
            .WithArtifactsPath(Path.Combine("artifacts", "benchmarks"))
            .WithSummaryStyle(SummaryStyle.Default.WithTimeUnit(TimeUnit.Nanosecond));
        string[] chosen = args.Length == 0 ? ["--filter", "*"] : args;
        Summary[] summaries = [.. BenchmarkSwitcher.FromAssembly(typeof(MicroCommand).Assembly).Run(chosen, config)];
        return summaries.Length > 0 && summaries.All(summary => summary.Reports.Length > 0 && summary.Reports.All(r => r.Success)) ? 0 : 1;
    }
}

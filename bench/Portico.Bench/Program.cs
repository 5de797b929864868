using Portico.Bench;

// The commands that come with other parts of the repository stand beside the table; each has its own file.
return args switch
{
    ["--help" or "-h", ..] => BenchOptions.PrintHelp(),
    _ => Table.Run(args),
};

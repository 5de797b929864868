using Portico.Cli;

return CommandLine.Run(args);

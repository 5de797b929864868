using System.CommandLine;

namespace Portico.Cli;

/// <summary><c>portico publish</c>: publishes ports of a run that is going on.</summary>
internal static class PublishCommand
{
    public static Command Create()
    {
        Option<string?> run = ControlClient.RunOption();
        Option<bool> list = new(PublishVerb.ListFlag) { Description = "Print what is published." };
        Option<bool> remove = new(PublishVerb.RemoveFlag) { Description = "Give the ports up instead; their connections go on." };
        Argument<string[]> specs = new("spec") { Description = PublishFlags.Help, Arity = ArgumentArity.ZeroOrMore };
        Command publish = new("publish", "Lets ports of the host lead to ports of a command that is running.");
        publish.Options.Add(run);
        publish.Options.Add(list);
        publish.Options.Add(remove);
        publish.Arguments.Add(specs);
        publish.SetAction(result =>
        {
            string[] asked = result.GetValue(specs) ?? [];
            bool isList = result.GetValue(list);
            if (isList ? asked.Length > 0 || result.GetValue(remove) : asked.Length == 0)
            {
                Terminal.Error("publish: usage: portico publish [--run RUN] [--remove] SPEC..., or portico publish --list");
                return CommandLine.OwnFailure;
            }

            string[] arguments = isList ? [PublishVerb.ListFlag] : result.GetValue(remove) ? [PublishVerb.RemoveFlag, .. asked] : asked;
            return ControlClient.Call(result.GetValue(run), "publish", arguments);
        });
        return publish;
    }
}

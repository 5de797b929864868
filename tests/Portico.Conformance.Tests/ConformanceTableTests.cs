namespace Portico.Conformance.Tests;

/// <summary>docs/conformance.md says what the scripts prove, as they are now.</summary>
public sealed class ConformanceTableTests
{
    public static TheoryData<string> Requirements => [.. NumberedRequirements.All];

    [Fact]
    public void The_page_is_up_to_date()
    {
        string page = File.ReadAllText(ConformanceTable.Page);
        string current = ConformanceTable.Update(page);
        if (Environment.GetEnvironmentVariable("PORTICO_UPDATE_CONFORMANCE") == "1")
        {
            File.WriteAllText(ConformanceTable.Page, current);
            return;
        }

        Assert.True(page == current, "docs/conformance.md is out of date: run eng/update-conformance");
    }

    [Theory]
    [MemberData(nameof(Requirements))]
    public void A_numbered_requirement_has_a_script_or_it_is_said_what_else_proves_it(string requirement)
    {
        bool hasScript = OwnScript.All.Value.Any(script => script.Requirements.Contains(requirement));
        Assert.True(hasScript || NumberedRequirements.Elsewhere.ContainsKey(requirement), $"nothing proves {requirement}");
    }
}

namespace Portico.Kernel.Tests;

/// <summary>The example in README.md: what stands between the two marks is compared with it, compiled and run.</summary>
internal static class ReadmeExample
{
    public static async Task<string> RunAsync()
    {
        // README begins
        using PorticoNetwork network = new();
        PorticoHost alice = network.AddHost("alice", "10.0.0.1/24", "fd00::1/64");
        PorticoHost bob = network.AddHost("bob", "10.0.0.2/24", "fd00::2/64");

        using PorticoListener listener = bob.Listen(7);
        Task echo = Task.Run(async () =>
        {
            using TcpStream connection = await listener.AcceptAsync();
            await connection.CopyToAsync(connection);
        });

        using TcpStream stream = await alice.ConnectAsync("bob", 7);
        await stream.WriteAsync("hello, bob"u8.ToArray());
        stream.CompleteWrites();

        using StreamReader reader = new(stream);
        string answer = await reader.ReadToEndAsync();
        await echo;
        Console.WriteLine($"{stream.RemoteEndPoint} says: {answer}");
        // README ends
        return answer;
    }
}

using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Portico.Interop.Tests.Kernel;

namespace Portico.Interop.Tests.Tcp;

/// <summary>nginx in the kernel's namespace with one file, /file; and an HTTP client on the Portico side.</summary>
public sealed class Nginx : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("portico-nginx-").FullName;
    private readonly Process _process;

    public Nginx(KernelNamespace kernel, byte[] file)
    {
        File.WriteAllBytes(Path.Combine(_directory, "file"), file);
        string configuration = Path.Combine(_directory, "nginx.conf");
        File.WriteAllText(configuration, $$"""
            daemon off;
            master_process off;
            user root;
            pid {{_directory}}/pid;
            error_log {{_directory}}/error.log;
            events { worker_connections 2048; }
            http {
                access_log off;
                client_body_temp_path {{_directory}}/t1;
                proxy_temp_path {{_directory}}/t2;
                fastcgi_temp_path {{_directory}}/t3;
                uwsgi_temp_path {{_directory}}/t4;
                scgi_temp_path {{_directory}}/t5;
                sendfile on;
                send_timeout 300;
                server { listen 80 backlog=1024; listen [::]:80 backlog=1024; root {{_directory}}; }
            }
            """);
        _process = kernel.StartProgram("nginx", "-p", _directory, "-e", $"{_directory}/error.log", "-c", configuration);
        for (int attempt = 0; ; attempt++)
        {
            using Socket probe = kernel.CreateSocket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                probe.Connect(IPAddress.Loopback, 80);
                break;
            }
            catch (SocketException) when (attempt < 300 && !_process.HasExited)
            {
                Thread.Sleep(100);
            }
        }
    }

    /// <summary>Fetches a part of the file into its place; returns what the header said of the length.</summary>
    public static async Task FetchAsync(PorticoHost host, IPAddress server, Memory<byte> body, int offset, CancellationToken stop)
    {
        await using TcpStream stream = await host.ConnectAsync(new IPEndPoint(server, 80), stop);
        string request = $"GET /file HTTP/1.0\r\nRange: bytes={offset}-{offset + body.Length - 1}\r\n\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request), stop);
        byte[] header = new byte[4096];
        int length = 0;
        int end;
        while ((end = header.AsSpan(0, length).IndexOf("\r\n\r\n"u8)) < 0)
        {
            int count = await stream.ReadAsync(header.AsMemory(length), stop);
            Assert.NotEqual(0, count);
            length += count;
        }

        string text = Encoding.ASCII.GetString(header, 0, end);
        Assert.StartsWith("HTTP/1.1 206", text, StringComparison.Ordinal);
        Assert.Contains($"Content-Length: {body.Length}", text, StringComparison.Ordinal);
        header.AsMemory((end + 4)..length).CopyTo(body);
        int received = length - end - 4;
        while (received < body.Length)
        {
            int count = await stream.ReadAsync(body[received..], stop);
            Assert.True(count != 0, $"the stream ended at {received} of {body.Length} bytes");
            received += count;
        }

        Assert.Equal(0, await stream.ReadAsync(header, stop));
    }

    public void Dispose()
    {
        _process.Kill(true);
        _process.WaitForExit();
        _process.Dispose();
        Directory.Delete(_directory, true);
    }
}

using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Portico.Net;

namespace Portico.Interop.Tests.Kernel;

/// <summary>
/// A name server in the host's namespace, by UDP and TCP, that answers what a test tells it to: also what no decent server would.
/// </summary>
public sealed class TestNameServer : IDisposable
{
    private const byte ServerFailure = 2;

    private readonly Socket _udp;
    private readonly Socket _tcp;
    private readonly List<(string Name, ushort Type, byte[] Data, uint TimeToLive)> _records = [];
    private readonly List<(string Name, bool IsTcp)> _queries = [];

    public TestNameServer(HostNamespace host, IpAddress? address = null, int port = 0)
    {
        IpAddress own = address ?? HostNamespace.Ipv4;
        _udp = host.BindUdp(own, port);
        port = ((IPEndPoint)_udp.LocalEndPoint!).Port;
        _tcp = host.Listen(own, port);
        Address = own.IsIpv4 ? $"{own}:{port}" : $"[{own}]:{port}";
        new Thread(ServeUdp) { IsBackground = true }.Start();
        new Thread(ServeTcp) { IsBackground = true }.Start();
    }

    /// <summary>What --dns wants.</summary>
    public string Address { get; }

    /// <summary>Takes queries and says nothing.</summary>
    public bool IsSilent { get; set; }

    /// <summary>Answers everything with SERVFAIL.</summary>
    public bool IsFailing { get; set; }

    /// <summary>The queries so far.</summary>
    public IReadOnlyList<(string Name, bool IsTcp)> Queries
    {
        get
        {
            lock (_queries)
            {
                return [.. _queries];
            }
        }
    }

    /// <summary>Adds an address of a name.</summary>
    public TestNameServer With(string name, string address, uint timeToLive = 60)
    {
        byte[] bytes = IPAddress.Parse(address).GetAddressBytes();
        _records.Add((name, bytes.Length == 4 ? (ushort)1 : (ushort)28, bytes, timeToLive));
        return this;
    }

    /// <summary>Makes a name an alias of another.</summary>
    public TestNameServer WithAlias(string name, string of)
    {
        _records.Add((name, 5, Encode(of), 60));
        return this;
    }

    private void ServeUdp()
    {
        byte[] buffer = new byte[65_536];
        try
        {
            while (true)
            {
                EndPoint from = new IPEndPoint(_udp.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
                int count = _udp.ReceiveFrom(buffer, ref from);
                byte[]? answer = Answer(buffer.AsSpan(0, count), isTcp: false);
                if (answer != null)
                {
                    _udp.SendTo(answer, from);
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private void ServeTcp()
    {
        byte[] buffer = new byte[65_536];
        try
        {
            while (true)
            {
                using Socket client = _tcp.Accept();
                using NetworkStream stream = new(client);
                stream.ReadExactly(buffer, 0, 2);
                int length = BinaryPrimitives.ReadUInt16BigEndian(buffer);
                stream.ReadExactly(buffer, 0, length);
                byte[]? answer = Answer(buffer.AsSpan(0, length), isTcp: true);
                if (answer != null)
                {
                    stream.Write([(byte)(answer.Length >> 8), (byte)answer.Length, .. answer]);
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or IOException)
        {
            // The test is over.
        }
    }

    private byte[]? Answer(ReadOnlySpan<byte> query, bool isTcp)
    {
        int end = 12;
        List<string> labels = [];
        for (; query[end] != 0; end += query[end] + 1)
        {
            labels.Add(Encoding.ASCII.GetString(query.Slice(end + 1, query[end])).ToLowerInvariant());
        }

        string name = string.Join('.', labels);
        ushort type = BinaryPrimitives.ReadUInt16BigEndian(query[(end + 1)..]);
        end += 5;
        lock (_queries)
        {
            _queries.Add((name, isTcp));
        }

        if (IsSilent)
        {
            return null;
        }

        List<byte> answer = [.. query[..end]];
        answer[2] = (byte)(0x80 | (query[2] & 1));
        answer[3] = (byte)(0x80 | (IsFailing ? ServerFailure : 0));
        ushort count = 0;
        bool known = false;
        foreach ((string owner, ushort kind, byte[] data, uint timeToLive) in IsFailing ? [] : _records.ToArray())
        {
            known |= owner == name;
            if (owner != name || (kind != type && kind != 5))
            {
                continue;
            }

            count++;
            byte[] head = new byte[10];
            BinaryPrimitives.WriteUInt16BigEndian(head, kind);
            head[3] = 1;
            BinaryPrimitives.WriteUInt32BigEndian(head.AsSpan(4), timeToLive);
            BinaryPrimitives.WriteUInt16BigEndian(head.AsSpan(8), (ushort)data.Length);
            answer.AddRange([.. Encode(owner), .. head, .. data]);
            if (kind == 5)
            {
                // What the alias leads to follows in the same answer.
                name = Decode(data);
            }
        }

        answer[3] |= (byte)(known || IsFailing ? 0 : 3);
        answer[7] = (byte)count;
        answer[6] = (byte)(count >> 8);
        answer[8] = answer[9] = answer[10] = answer[11] = 0;
        if (!isTcp && answer.Count > 512)
        {
            // TC, and nothing but the question.
            answer.RemoveRange(end, answer.Count - end);
            answer[2] |= 2;
            answer[6] = answer[7] = 0;
        }

        return [.. answer];
    }

    private static byte[] Encode(string name) =>
        [.. name.Split('.').SelectMany(l => (byte[])[(byte)l.Length, .. Encoding.ASCII.GetBytes(l)]), 0];

    private static string Decode(byte[] name)
    {
        List<string> labels = [];
        for (int at = 0; name[at] != 0; at += name[at] + 1)
        {
            labels.Add(Encoding.ASCII.GetString(name, at + 1, name[at]));
        }

        return string.Join('.', labels);
    }

    public void Dispose()
    {
        _udp.Dispose();
        _tcp.Dispose();
    }
}

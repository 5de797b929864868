using CsCheck;
using Portico.Net;

namespace Portico.Kernel.Tests.Guarantees;

/// <summary>
/// F9 and F10: sockets that are sent through sockets, in graphs of any shape. A reference collector says after each call which sockets can
/// still be reached; the kernel has those and no others.
/// </summary>
public sealed class UnixGarbageTests
{
    private sealed class Node
    {
        /// <summary>Numbers that are open.</summary>
        public int Descriptors { get; set; } = 1;

        /// <summary>Messages that wait in its queue: whom each carries.</summary>
        public Queue<Node[]> Queue { get; } = [];

        /// <summary>Of a listener: the connections that nobody has accepted.</summary>
        public Queue<Node> Embryos { get; } = [];

        public Node? Peer { get; set; }

        public bool IsListener { get; init; }

        public int Fd { get; set; }
    }

    /// <summary>The sockets of a process, as they should be and as they are.</summary>
    private sealed class World(TestKernel test, SocketType type)
    {
        private readonly Process _process = test.NewProcess();
        private readonly List<Node> _all = [];
        private int _names;

        public long UnixSocketsBefore { get; } = test.Count(KernelCounter.UnixSockets);

        private List<Node> Open => [.. _all.Where(node => node.Descriptors > 0)];

        public void Apply(int kind, int first, int second, int third)
        {
            List<Node> open = Open;
            Node? Pick(int index) => open.Count == 0 ? null : open[index % open.Count];
            Node? one = Pick(first);
            Node? other = Pick(second);
            switch (kind)
            {
                case 0:
                    _process.SocketPair(AddressFamily.AF_UNIX, type, 0, out int left, out int right).OrThrow();
                    Node a = new() { Fd = left };
                    Node b = new() { Fd = right, Peer = a };
                    a.Peer = b;
                    _all.AddRange([a, b]);
                    break;
                case 1 or 2 or 3 or 4 when one is { IsListener: false } && other != null:
                    Send(one, kind == 4 && Pick(third) is { } more ? [other, more] : [other]);
                    break;
                case 5 or 6 or 7 when one != null:
                    _process.Close(one.Fd).OrThrow();
                    one.Descriptors = 0;
                    break;
                case 8 when one != null:
                    Receive(one);
                    break;
                case 9 when type != SocketType.SOCK_DGRAM:
                    int listener = _process.Socket(AddressFamily.AF_UNIX, type, 0).OrThrow();
                    Node made = new() { Fd = listener, IsListener = true };
                    byte[] address = UnixAddress.OfAbstract(System.Text.Encoding.ASCII.GetBytes($"{_process.Id}.{_names++}"));
                    _process.Bind(listener, address).OrThrow();
                    _process.Listen(listener, 8).OrThrow();
                    int client = _process.Socket(AddressFamily.AF_UNIX, type, 0).OrThrow();
                    _process.Connect(client, address).OrThrow();
                    Node embryo = new() { Descriptors = 0 };
                    Node connected = new() { Fd = client, Peer = embryo };
                    embryo.Peer = connected;
                    made.Embryos.Enqueue(embryo);
                    _all.AddRange([made, connected, embryo]);
                    break;
                case 10 when one is { IsListener: true } && one.Embryos.Count > 0:
                    Node accepted = one.Embryos.Dequeue();
                    accepted.Fd = _process.Accept4(one.Fd, default, out _, SocketType.SOCK_NONBLOCK & 0).OrThrow();
                    accepted.Descriptors = 1;
                    break;
            }
        }

        public void Check()
        {
            Collect();
            Assert.Equal(_all.Count, test.Count(KernelCounter.UnixSockets) - UnixSocketsBefore);
            foreach (Node node in Open.Where(node => node.Peer != null))
            {
                // The side effect of a collection: the peer's end of file.
                PollDescriptor[] one = [new() { Fd = node.Fd, Events = (short)SocketEvents.ReadHangUp }];
                _process.Poll(one, 0).OrThrow();
                bool isHungUp = ((SocketEvents)(ushort)one[0].Returned & SocketEvents.HangUp) != 0;
                Assert.Equal(type != SocketType.SOCK_DGRAM && !_all.Contains(node.Peer!), isHungUp);
            }
        }

        public void End()
        {
            _process.Exit();
            Assert.Equal(UnixSocketsBefore, test.Count(KernelCounter.UnixSockets));
        }

        private void Send(Node sender, Node[] carried)
        {
            Node? receiver = sender.Peer;
            byte[] control = ControlMessages.OfDescriptors([.. carried.Select(node => node.Fd)]);
            SyscallResult result = _process.SendMessage(sender.Fd, [1], MessageFlags.MSG_DONTWAIT | MessageFlags.MSG_NOSIGNAL, default, control);
            if (receiver == null || !_all.Contains(receiver))
            {
                Assert.True(result.IsError);
                if (type == SocketType.SOCK_DGRAM)
                {
                    // Who finds its peer gone is disconnected, and with that loses what it has not read, as on Linux.
                    sender.Queue.Clear();
                    sender.Peer = null;
                }
            }
            else if (!result.IsError)
            {
                receiver.Queue.Enqueue(carried);
            }
            else
            {
                Assert.Equal(Errno.EAGAIN, result.Error);
            }
        }

        private void Receive(Node node)
        {
            byte[] control = new byte[64];
            byte[] data = new byte[1];
            SyscallResult result = _process.ReceiveMessage(node.Fd, data, MessageFlags.MSG_DONTWAIT, default, control, out ReceivedMessage received);
            if (result.Error == Errno.ECONNRESET)
            {
                // Told once, of a peer that has gone and left something unread; what it has sent is still there.
                result = _process.ReceiveMessage(node.Fd, data, MessageFlags.MSG_DONTWAIT, default, control, out received);
            }

            if (result.Raw != 1)
            {
                Assert.True(node.Queue.Count == 0, result.ToString());
                return;
            }

            Node[] carried = node.Queue.Dequeue();
            int[] fds = ControlMessages.Descriptors(control.AsSpan(0, received.ControlLength));
            Assert.Equal(carried.Length, fds.Length);
            for (int i = 0; i < fds.Length; i++)
            {
                // One number for each node is enough; the others are closed at once.
                if (carried[i].Descriptors == 0)
                {
                    carried[i].Descriptors = 1;
                    carried[i].Fd = fds[i];
                }
                else
                {
                    _process.Close(fds[i]).OrThrow();
                }
            }
        }

        /// <summary>The reference: all that can be reached from what is open, through queues; the rest is gone, and what it held with it.</summary>
        private void Collect()
        {
            HashSet<Node> reached = [];
            Stack<Node> toLookAt = new(_all.Where(node => node.Descriptors > 0));
            while (toLookAt.TryPop(out Node? node))
            {
                if (reached.Add(node))
                {
                    foreach (Node next in node.Queue.SelectMany(carried => carried).Concat(node.Embryos))
                    {
                        toLookAt.Push(next);
                    }
                }
            }

            _all.RemoveAll(node => !reached.Contains(node));
        }
    }

    [Theory]
    [InlineData(SocketType.SOCK_STREAM)]
    [InlineData(SocketType.SOCK_DGRAM)]
    [InlineData(SocketType.SOCK_SEQPACKET)]
    public void In_any_graph_what_cannot_be_reached_is_gone_and_the_rest_is_there(SocketType type)
    {
        using TestKernel test = new();
        Gen.Select(Gen.Int[0, 10], Gen.Int[0, 99], Gen.Int[0, 99], Gen.Int[0, 99]).Array[1, 80].Sample(
            operations =>
            {
                World world = new(test, type);
                foreach ((int kind, int first, int second, int third) in operations)
                {
                    world.Apply(kind, first, second, third);
                    world.Check();
                }

                world.End();
            },
            iter: 4000,
            threads: 1);
        test.AssertNothingIsLeft();
    }

    [Fact]
    public void Three_thousand_cycles_of_two_are_collected()
    {
        using TestKernel test = new();
        Process process = test.Process;
        for (int i = 0; i < 3000; i++)
        {
            process.SocketPair(AddressFamily.AF_UNIX, SocketType.SOCK_STREAM, 0, out int first, out int second).OrThrow();
            process.SendMessage(first, [1], MessageFlags.None, default, ControlMessages.OfDescriptors([first])).OrThrow();
            process.SendMessage(second, [1], MessageFlags.None, default, ControlMessages.OfDescriptors([second])).OrThrow();
            process.Close(first).OrThrow();
            process.Close(second).OrThrow();
        }

        Assert.Equal(0, test.Count(KernelCounter.UnixSockets));
        Assert.Equal(6000, test.Count(KernelCounter.CollectedUnixSockets));
        test.AssertNothingIsLeft();
    }
}

namespace Portico.Net;

// Packets that wait for a link-layer address: bounded per entry (the oldest gives way, RFC 4861 7.2.2) and in all.
public sealed partial class NeighbourTable
{
    private void Enqueue(int index, Packet packet)
    {
        ref NeighbourEntry entry = ref _entries[index];
        int bytes = packet.Length;
        while (entry.QueueHead != null && (entry.QueueCount >= Options.unres_qlen || entry.QueueBytes + bytes > Options.unres_qlen_bytes))
        {
            Counters[NeighbourCounter.UnresDiscards]++;
            TakeFirst(ref entry).Release();
        }

        if (QueuedBytes + bytes > Options.unres_qlen_bytes_total)
        {
            Counters[NeighbourCounter.UnresDiscards]++;
            packet.Release();
            return;
        }

        packet.Next = null;
        if (entry.QueueTail == null)
        {
            entry.QueueHead = packet;
        }
        else
        {
            entry.QueueTail.Next = packet;
        }

        entry.QueueTail = packet;
        entry.QueueCount++;
        entry.QueueBytes += bytes;
        QueuedBytes += bytes;
    }

    private Packet TakeFirst(ref NeighbourEntry entry)
    {
        Packet packet = entry.QueueHead!;
        entry.QueueHead = packet.Next;
        if (entry.QueueHead == null)
        {
            entry.QueueTail = null;
        }

        packet.Next = null;
        entry.QueueCount--;
        entry.QueueBytes -= packet.Length;
        QueuedBytes -= packet.Length;
        Invariant.Check(entry.QueueCount >= 0);
        Invariant.Check(QueuedBytes >= 0);
        return packet;
    }

    private Packet? DetachQueue(int index)
    {
        ref NeighbourEntry entry = ref _entries[index];
        Packet? first = entry.QueueHead;
        QueuedBytes -= entry.QueueBytes;
        entry.QueueHead = null;
        entry.QueueTail = null;
        entry.QueueCount = 0;
        entry.QueueBytes = 0;
        return first;
    }

    private void FlushQueue(int index)
    {
        MacAddress destination = _entries[index].Mac;
        Packet? packet = DetachQueue(index);
        while (packet != null)
        {
            Packet? next = packet.Next;
            packet.Next = null;
            _interface.TransmitResolved(packet, destination);
            packet = next;
        }
    }

    private void DropQueue(int index)
    {
        Packet? packet = DetachQueue(index);
        while (packet != null)
        {
            Packet? next = packet.Next;
            packet.Next = null;
            Counters[NeighbourCounter.UnresDiscards]++;
            packet.Release();
            packet = next;
        }
    }
}

namespace Portico.Net;

/// <summary>The head of a segment record that lies in a <see cref="SegmentTree"/>; at offset 0 of the record.</summary>
internal unsafe struct SegmentNode
{
    public SegmentNode* Left;
    public SegmentNode* Right;
    public SegmentNode* Parent;

    /// <summary>First sequence number.</summary>
    public uint Start;

    /// <summary>One past the last sequence number.</summary>
    public uint End;

    /// <summary>The tree's: random, so that no order of arrival makes the tree deep.</summary>
    public uint Priority;
}

/// <summary>
/// Segments that do not overlap, in the order of their sequence numbers: a treap (Seidel, Aragon 1996) over nodes inside the records.
/// The tree is its root, null when empty, which the owner keeps. The owner may move a node's edges as long as segments stay in order
/// and apart. All sequence numbers of a tree lie within 2^31 of each other.
/// </summary>
internal static unsafe class SegmentTree
{
    /// <summary>The lowest segment; null if there is none.</summary>
    public static SegmentNode* First(SegmentNode* root)
    {
        while (root != null && root->Left != null)
        {
            root = root->Left;
        }

        return root;
    }

    /// <summary>The highest segment; null if there is none.</summary>
    public static SegmentNode* Last(SegmentNode* root)
    {
        while (root != null && root->Right != null)
        {
            root = root->Right;
        }

        return root;
    }

    /// <summary>The segment above; null for the last.</summary>
    public static SegmentNode* Next(SegmentNode* node)
    {
        if (node->Right != null)
        {
            return First(node->Right);
        }

        while (node->Parent != null && node->Parent->Right == node)
        {
            node = node->Parent;
        }

        return node->Parent;
    }

    /// <summary>The segment below; null for the first.</summary>
    public static SegmentNode* Previous(SegmentNode* node)
    {
        if (node->Left != null)
        {
            return Last(node->Left);
        }

        while (node->Parent != null && node->Parent->Left == node)
        {
            node = node->Parent;
        }

        return node->Parent;
    }

    /// <summary>The first segment that ends after <paramref name="seq"/>: the one that contains it, or else the next above; null if none.</summary>
    public static SegmentNode* FindFirstEndingAfter(SegmentNode* root, uint seq)
    {
        SegmentNode* found = null;
        while (root != null)
        {
            if (Seq.Gt(root->End, seq))
            {
                found = root;
                root = root->Left;
            }
            else
            {
                root = root->Right;
            }
        }

        return found;
    }

    /// <summary>Adds a segment, whose Start and End are set; returns the new root.</summary>
    public static SegmentNode* Insert(SegmentNode* root, SegmentNode* node)
    {
        SegmentNode* parent = null;
        SegmentNode** link = &root;
        for (SegmentNode* below = root; below != null; below = *link)
        {
            parent = below;
            link = Seq.Lt(node->Start, below->Start) ? &below->Left : &below->Right;
        }

        *link = node;
        node->Left = null;
        node->Right = null;
        node->Parent = parent;
        node->Priority = PriorityOf(node);
        while (node->Parent != null && node->Parent->Priority < node->Priority)
        {
            RotateUp(node);
        }

        return node->Parent == null ? node : root;
    }

    /// <summary>Takes a segment out; returns the new root.</summary>
    public static SegmentNode* Remove(SegmentNode* root, SegmentNode* node)
    {
        Invariant.Check(root != null);
        bool wasRoot = root == node;
        SegmentNode* raised = null;
        while (node->Left != null && node->Right != null)
        {
            SegmentNode* higher = node->Left->Priority > node->Right->Priority ? node->Left : node->Right;
            raised = raised == null ? higher : raised;
            RotateUp(higher);
        }

        SegmentNode* child = node->Left != null ? node->Left : node->Right;
        if (child != null)
        {
            child->Parent = node->Parent;
        }

        ReplaceChild(node->Parent, node, child);
        node->Left = node->Right = node->Parent = null;
        return !wasRoot ? root : raised != null ? raised : child;
    }

    /// <summary>Walks the whole tree, checks its order, links and heap property, and returns the number of nodes.</summary>
    public static int CheckInvariants(SegmentNode* root)
    {
        int count = 0;
        SegmentNode* previous = null;
        for (SegmentNode* node = First(root); node != null; previous = node, node = Next(node))
        {
            count++;
            Require(node->Left == null || (node->Left->Parent == node && node->Left->Priority <= node->Priority));
            Require(node->Right == null || (node->Right->Parent == node && node->Right->Priority <= node->Priority));
            Require(node->Parent != null || node == root);
            Require(Seq.Lt(node->Start, node->End));
            Require(previous == null || Seq.Leq(previous->End, node->Start));
        }

        return count;
    }

    private static void Require(bool condition)
    {
        if (!condition)
        {
            throw new InvariantException("segment tree out of order");
        }
    }

    /// <summary>
    /// The shape of the tree shows in no packet, so it may depend on where the record lies, which the peer, who chooses the sequence
    /// numbers, does not know.
    /// </summary>
    private static uint PriorityOf(SegmentNode* node)
    {
        ulong x = ((ulong)node * 0x9E3779B97F4A7C15) + node->Start;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return (uint)(x >> 32);
    }

    private static void RotateUp(SegmentNode* node)
    {
        SegmentNode* parent = node->Parent;
        SegmentNode* above = parent->Parent;
        SegmentNode* moved;
        if (parent->Left == node)
        {
            moved = node->Right;
            parent->Left = moved;
            node->Right = parent;
        }
        else
        {
            moved = node->Left;
            parent->Right = moved;
            node->Left = parent;
        }

        if (moved != null)
        {
            moved->Parent = parent;
        }

        parent->Parent = node;
        node->Parent = above;
        ReplaceChild(above, parent, node);
    }

    private static void ReplaceChild(SegmentNode* parent, SegmentNode* child, SegmentNode* replacement)
    {
        if (parent == null)
        {
            return;
        }

        if (parent->Left == child)
        {
            parent->Left = replacement;
        }
        else
        {
            parent->Right = replacement;
        }
    }
}

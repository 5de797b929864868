namespace Portico.Net;
internal static class ChecksumOffload { }

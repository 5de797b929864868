using Portico.Interop.Tests.Kernel;

namespace Portico.Interop.Tests.Run;

/// <summary><c>portico run</c> on a terminal: the command is the one who has it.</summary>
public sealed class TerminalTests : IDisposable
{
    /// <summary>A terminal with a program on it, to type at and to wait for what it shows.</summary>
    private const string Expect =
        """
        import pty,os,sys,select,time,termios,struct,fcntl,signal,re
        def start(*command):
            pid,fd=pty.fork()
            if pid==0: os.execvp(command[0],command)
            return pid,fd
        seen=''
        def expect(fd,pattern):
            global seen
            until=time.time()+40
            while True:
                m=re.search(pattern,seen)
                if m: seen=seen[m.end():]; return m
                if time.time()>until or not select.select([fd],[],[],until-time.time())[0]: sys.exit('no '+pattern+' in '+repr(seen))
                try: b=os.read(fd,65536)
                except OSError: b=b''
                if not b: sys.exit('ended; no '+pattern+' in '+repr(seen))
                seen+=b.decode(errors='replace')
        def type(fd,text): os.write(fd,text.encode())
        def echoed_by_cat(fd):
            # What is typed while a shell gives the terminal to a job may be lost.
            global seen
            for i in range(40):
                line='line%d'%i; type(fd,line+'\n'); until=time.time()+1
                while time.time()<until:
                    if select.select([fd],[],[],0.1)[0]: seen+=os.read(fd,65536).decode(errors='replace')
                    if line+'\r\n'+line in seen: seen=''; return
            sys.exit('cat does not read: '+repr(seen))
        def status(pid): return os.waitstatus_to_exitcode(os.waitpid(pid,0)[1])
        tool=('dotnet',sys.argv[1],'run','--')

        """;

    private readonly HostNamespace _host = new();

    public void Dispose() => _host.Dispose();

    [Fact]
    public void Ctrl_C_interrupts_the_command_and_its_status_says_so() => Play(
        """
        pid,fd=start(*tool,'sh','-c','test -t 0 && test -t 1 && echo on a terminal; exec cat')
        expect(fd,'on a terminal'); type(fd,'hello\n'); expect(fd,'hello\r\nhello')
        type(fd,'\x03'); assert status(pid)==130
        """);

    [Fact]
    public void A_command_that_handles_Ctrl_C_goes_on() => Play(
        """
        pid,fd=start(*tool,'python3','-c','import os,signal,sys\nsignal.signal(2,lambda *a: os.write(1,b"caught"))\n'
            'print("ready",flush=True)\nsys.stdin.readline()')
        expect(fd,'ready')
        for i in range(3): type(fd,'\x03'); expect(fd,'caught')
        type(fd,'\n'); assert status(pid)==0
        """);

    [Fact]
    public void Ctrl_Z_stops_the_job_and_fg_goes_on_with_it() => Play(
        """
        pid,fd=start('bash','--norc','--noprofile','-i')
        type(fd,'PS1=prompt:; cd /\n'); expect(fd,'\nprompt:|prompt:$')
        type(fd,' '.join(tool)+' cat\n'); echoed_by_cat(fd)
        type(fd,'\x1a'); expect(fd,'Stopped'); expect(fd,'prompt:'); type(fd,'fg\n'); expect(fd,'cat'); echoed_by_cat(fd)
        type(fd,'\x04'); expect(fd,'prompt:'); type(fd,'exit 7\n'); assert status(pid)==7
        """);

    [Fact]
    public void A_shell_inside_has_its_own_jobs() => Play(
        """
        pid,fd=start(*tool,'bash','--norc','--noprofile','-i')
        type(fd,'PS1=inside:\n'); expect(fd,'\ninside:|inside:$')
        type(fd,'cat\n'); echoed_by_cat(fd)
        type(fd,'\x1a'); expect(fd,'Stopped'); expect(fd,'inside:'); type(fd,'jobs\n'); expect(fd,'Stopped +cat')
        expect(fd,'inside:'); type(fd,'fg\n'); expect(fd,'cat'); echoed_by_cat(fd); type(fd,'\x03'); expect(fd,'inside:')
        type(fd,'exit 5\n'); assert status(pid)==5
        """);

    [Fact]
    public void The_command_hears_of_the_windows_size() => Play(
        """
        pid,fd=start(*tool,'bash','--norc','-c','trap "stty size" WINCH; stty size; echo ready; while read -r x; do :; done')
        expect(fd,'ready')
        fcntl.ioctl(fd,termios.TIOCSWINSZ,struct.pack('HHHH',33,101,0,0)); time.sleep(0.2); type(fd,'\n')
        expect(fd,'33 101'); type(fd,'\x04'); assert status(pid)==0
        """);

    [Fact]
    public void A_terminal_that_goes_away_ends_the_command() => Play(
        """
        pid,fd=start(*tool,'sh','-c','echo $$; exec sleep 1000')
        inside=int(expect(fd,r'(\d+)\r\n').group(1))
        os.close(fd); assert status(pid)==129
        for i in range(100):
            if not os.path.exists('/proc/%d'%inside): sys.exit(0)
            time.sleep(0.1)
        sys.exit('still there')
        """);

    private void Play(string script) => _host.Run("python3", "-c", Expect + script, HostNamespace.ToolPath).Succeeded();
}

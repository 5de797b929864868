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
        def shows(fd,pattern,seconds):
            global seen
            until=time.time()+seconds
            while True:
                m=re.search(pattern,seen)
                if m: seen=seen[m.end():]; return m
                if time.time()>until or not select.select([fd],[],[],until-time.time())[0]: return None
                try: b=os.read(fd,65536)
                except OSError: b=b''
                if not b: sys.exit('ended; no '+pattern+' in '+repr(seen))
                seen+=b.decode(errors='replace')
        def expect(fd,pattern): return shows(fd,pattern,40) or sys.exit('no '+pattern+' in '+repr(seen))
        def type(fd,text): os.write(fd,text.encode())
        def ask(fd,text,pattern):
            # What is typed while the terminal passes from a shell to a job or back may get lost, or be read by the other one; a signal
            # between a handler's check and the read is handled after the read.
            for i in range(40):
                type(fd,text.replace('#',str(i)))
                if shows(fd,pattern.replace('#',str(i)),1): return
            sys.exit('no '+pattern+' after '+text+' in '+repr(seen))
        def echoed_by_cat(fd): ask(fd,'line#\n','line#\r\nline#')
        def ends(pid,status):
            was=os.waitstatus_to_exitcode(os.waitpid(pid,0)[1])
            if was!=status: sys.exit('status %d instead of %d; %r'%(was,status,seen))
        tool=('dotnet',sys.argv[1],'run','--')

        """;

    private readonly HostNamespace _host = new();

    public void Dispose() => _host.Dispose();

    [Fact]
    public void Ctrl_C_interrupts_the_command_and_its_status_says_so() => Play(
        """
        pid,fd=start(*tool,'sh','-c','test -t 0 && test -t 1 && echo on a terminal; exec cat')
        expect(fd,'on a terminal'); type(fd,'hello\n'); expect(fd,'hello\r\nhello')
        type(fd,'\x03'); ends(pid,130)
        """);

    [Fact]
    public void A_command_that_handles_Ctrl_C_goes_on() => Play(
        """
        pid,fd=start(*tool,'python3','-c','import os,signal,sys\nsignal.signal(2,lambda *a: os.write(1,b"caught"))\n'
            'print("ready",flush=True)\nsys.stdin.readline()')
        expect(fd,'ready')
        for i in range(3): ask(fd,'\x03','caught')
        type(fd,'\n'); ends(pid,0)
        """);

    [Fact]
    public void Ctrl_Z_stops_the_job_and_fg_goes_on_with_it() => Play(
        """
        pid,fd=start('bash','--norc','--noprofile','-i')
        type(fd,'PS1=prompt:; cd /\n'); expect(fd,'\nprompt:|prompt:$')
        type(fd,' '.join(tool)+' cat\n'); echoed_by_cat(fd)
        type(fd,'\x1a'); expect(fd,'Stopped'); expect(fd,'prompt:'); ask(fd,'fg\n','cat'); echoed_by_cat(fd)
        type(fd,'\x04'); expect(fd,'prompt:'); type(fd,'exit 7\n'); ends(pid,7)
        """);

    [Fact]
    public void A_shell_inside_has_its_own_jobs() => Play(
        """
        pid,fd=start(*tool,'bash','--norc','--noprofile','-i')
        type(fd,'PS1=inside:\n'); expect(fd,'\ninside:|inside:$')
        type(fd,'cat\n'); echoed_by_cat(fd)
        type(fd,'\x1a'); expect(fd,'Stopped'); expect(fd,'inside:'); ask(fd,'jobs\n','Stopped +cat')
        expect(fd,'inside:'); ask(fd,'fg\n','cat'); echoed_by_cat(fd); type(fd,'\x03'); expect(fd,'inside:')
        type(fd,'exit 5\n'); ends(pid,5)
        """);

    [Fact]
    public void The_command_hears_of_the_windows_size() => Play(
        """
        pid,fd=start(*tool,'bash','--norc','-c','trap "stty size" WINCH; stty size; echo ready; while read -r x; do :; done')
        expect(fd,'ready')
        fcntl.ioctl(fd,termios.TIOCSWINSZ,struct.pack('HHHH',33,101,0,0)); time.sleep(0.2); type(fd,'\n')
        expect(fd,'33 101'); type(fd,'\x04'); ends(pid,0)
        """);

    [Fact]
    public void A_terminal_that_goes_away_ends_the_command() => Play(
        """
        pid,fd=start(*tool,'sh','-c','echo $$; exec sleep 1000')
        inside=int(expect(fd,r'(\d+)\r\n').group(1))
        os.close(fd); ends(pid,129)
        for i in range(100):
            if not os.path.exists('/proc/%d'%inside): sys.exit(0)
            time.sleep(0.1)
        sys.exit('still there')
        """);

    private void Play(string script) => _host.Run("python3", "-c", Expect + script, HostNamespace.ToolPath).Succeeded();
}

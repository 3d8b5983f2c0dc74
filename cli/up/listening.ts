import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

/** Local ports on which a process's network namespace listens (proc_net_tcp(5): state 0A); undefined without /proc. */
export function listeningPorts(table: string): ReadonlySet<number> {
  const ports = new Set<number>();
  for (const line of table.split('\n').slice(1)) {
    const [, local = '', , state] = line.trim().split(/\s+/);
    if (state === '0A') ports.add(Number.parseInt(local.split(':')[1] ?? '', 16));
  }
  return ports;
}

/** Whether something in the namespace of process `pid` listens on a port. */
export function listensInNamespace(pid: number, port: number): boolean {
  return ['tcp', 'tcp6'].some((name) => {
    try {
      return listeningPorts(readFileSync(`/proc/${pid}/net/${name}`, 'utf8')).has(port);
    } catch {
      return false;
    }
  });
}

/** Whether a TCP connection can be made. */
export function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1000 });
    const end = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}

// A control plane's intake, or an agent, in a process of its own, so that its processor time can be told: forked by bench/access-log.ts.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { startAgent, startControlPlane } from '../../test/audit/relay/world.ts';
import { APP } from '../../test/audit/world.ts';

export interface Start {
  readonly role: 'control plane' | 'agent';
  readonly folder: string;
  readonly file: string;
  readonly root: string;
  readonly server: { readonly cert: string; readonly key: string };
  readonly own: { readonly cert: string; readonly key: string };
  readonly port: number;
}

export interface State {
  readonly port: number;
  /** Microseconds so far. */
  readonly cpu: number;
  /** Records: in the store, of a control plane; waiting or on their way (messages), of an agent. */
  readonly records: number;
  readonly bytes: number;
  readonly rss: number;
}

const [text = ''] = process.argv.slice(2);
const { role, folder, file, root, server, own, port }: Start = JSON.parse(text);
const leaf = new X509Certificate(own.cert);
const issued = {
  root,
  server,
  svid: {
    id: APP,
    leaf,
    intermediates: [],
    chainPem: own.cert,
    key: createPrivateKey(own.key),
    serial: leaf.serialNumber.toLowerCase(),
    notBefore: leaf.validFromDate.getTime(),
    notAfter: leaf.validToDate.getTime(),
  },
};

async function start(): Promise<() => Pick<State, 'port' | 'records' | 'bytes'>> {
  if (role === 'control plane') {
    const control = await startControlPlane(file, issued, { flushMs: 250 });
    return () => ({ port: control.port, records: control.recorder.stats.written, bytes: 0 });
  }
  const agent = await startAgent(folder, 'agent', issued, { port });
  // The world's own Envoy stays silent here.
  agent.envoy.close();
  return () => ({ port: 0, records: agent.log.stats.messages, bytes: agent.log.stats.bytes });
}

const state = await start();
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ ...state(), cpu: user + system, rss: process.memoryUsage.rss() } satisfies State);
});
process.on('disconnect', () => process.exit(0));
process.send?.('ready');

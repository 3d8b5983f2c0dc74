// Replicas as processes, in a real API server: one leads, and when it is killed, gives up or is held up, another does.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { eventually } from '../../eventually.ts';
import { at, withApiServer } from '../api-server.ts';

class Replica {
  readonly name: string;
  readonly process: ChildProcess;
  leads = false;

  constructor(name: string, kubeconfig: string) {
    this.name = name;
    const script = join(import.meta.dirname, 'replica.ts');
    this.process = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, kubeconfig, name], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.process.stdout?.on('data', (text: Buffer) => (this.leads = text.toString().trim().endsWith('leads')));
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = once(this.process, 'exit');
    this.process.kill(signal);
    this.process.kill('SIGCONT');
    await gone;
    this.leads = false;
  }
}

describe('leader election', function () {
  this.timeout(120_000);
  const api = withApiServer();
  let replicas: Replica[] = [];

  const start = (name: string): Replica => {
    const replica = new Replica(name, api().kubeconfig);
    replicas.push(replica);
    return replica;
  };
  const leaders = (): readonly Replica[] => replicas.filter(({ leads }) => leads);
  const leader = (): Promise<Replica> =>
    eventually(
      'one leads',
      () => {
        const all = leaders();
        assert.ok(all.length <= 1, all.map(({ name }) => name).join(' and '));
        return Promise.resolve(all[0]);
      },
      30_000,
    );
  const holder = async (): Promise<unknown> =>
    at(
      (await api().request('GET', '/apis/coordination.k8s.io/v1/namespaces/default/leases/gatehouse')).body,
      'spec',
      'holderIdentity',
    );

  before(() => {
    start('one');
    start('two');
    start('three');
  });
  after(() => Promise.all(replicas.map((replica) => replica.end('SIGKILL'))));

  it('chooses one of three', async () => {
    const { name } = await leader();
    assert.equal(await holder(), name);
  });

  it('chooses another when the leader is killed', async () => {
    const first = await leader();
    await first.end('SIGKILL');
    replicas = replicas.filter((replica) => replica !== first);
    const second = await leader();
    assert.notEqual(second.name, first.name);
    assert.equal(await holder(), second.name);
  });

  it('hands over at once when the leader ends in order', async () => {
    start('four');
    const first = await leader();
    await first.end('SIGTERM');
    replicas = replicas.filter((replica) => replica !== first);
    // Empty, or another's already.
    assert.notEqual(await holder(), first.name);
    await leader();
  });

  it('leaves no leader behind while the API server is away, and has one again when it is back', async () => {
    await leader();
    await api().kill();
    await eventually('nobody leads', () => Promise.resolve(leaders().length === 0 ? true : undefined), 30_000);
    await api().start();
    await leader();
  });

  it('takes a leader that was held up for one that leads no more', async () => {
    const first = await leader();
    first.process.kill('SIGSTOP');
    // What it printed last still says that it leads; it is the others that count.
    const second = await eventually(
      'another leads',
      () => Promise.resolve(replicas.find((replica) => replica !== first && replica.leads)),
      30_000,
    );
    first.process.kill('SIGCONT');
    await eventually('the first knows', () => Promise.resolve(first.leads ? undefined : true), 30_000);
    assert.ok(second.leads);
    assert.equal(await holder(), second.name);
  });
});

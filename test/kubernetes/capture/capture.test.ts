import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { netnsObstacle } from '../../../cli/up/netns/capture.ts';
import type { Line } from './pod.ts';

const POD = fileURLToPath(new URL('./pod.ts', import.meta.url));
const OUTSIDE = '10.9.0.1';
const OUTSIDE2 = '10.9.1.1';
const OUTSIDE6 = 'fd09::1';
const SELF = '10.9.0.2';
const SELF6 = 'fd09::2';

interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

class TestPod {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor() {
    this.#child = spawn('unshare', ['--net', process.execPath, '--disable-warning=ExperimentalWarning', POD], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async answer<T>(): Promise<T> {
    const { value } = await this.#lines.next();
    return JSON.parse(String(value));
  }

  async tell<T>(line: Line): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify(line)}\n`);
    return this.answer();
  }

  async capture(...args: readonly string[]): Promise<Ran> {
    const ran = await this.tell<Ran>({ does: 'capture', args });
    assert.equal(ran.status, 0, ran.err);
    return ran;
  }

  ask(from: 'application' | 'proxy' | 'outside' | 'datagram', host: string, port: number, local?: string): Promise<string> {
    return this.tell({ does: 'ask', from, host, port, ...(local === undefined ? {} : { local }) });
  }

  async rules(program: 'iptables' | 'ip6tables' = 'iptables'): Promise<string> {
    const text = await this.tell<string>({ does: 'rules', program });
    // Without time and counters.
    return text
      .split('\n')
      .filter((line) => !line.startsWith('#') && line !== '')
      .map((line) => line.replace(/\[\d+:\d+\]/, ''))
      .join('\n');
  }

  async run(command: string): Promise<void> {
    const { status, err } = await this.tell<Ran>({ does: 'run', command });
    assert.equal(status, 0, err);
  }

  async end(): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
  }
}

describe('gatehouse capture, with real traffic in network namespaces', function () {
  this.timeout(60_000);
  const obstacle = netnsObstacle();
  if (obstacle !== undefined) {
    it.skip(obstacle);
    return;
  }
  let pod: TestPod;
  before(async () => {
    pod = new TestPod();
    assert.equal(await pod.answer(), 'ready');
  });
  after(() => pod.end());
  afterEach(() => pod.capture('--cleanup'));

  /** Moments of the kills: from before Node has read the program until after it has ended. */
  const [AFTER_MS, STEP_MS, STEPS] = [60, 30, 12];

  /** Each question with the one who is to answer. */
  async function answers(
    rows: readonly (readonly [Parameters<TestPod['ask']>[0], string, number, string, string?])[],
  ): Promise<void> {
    for (const [from, host, port, who, local] of rows)
      assert.equal(await pod.ask(from, host, port, local), who, `${from} asks ${host}:${port}`);
  }

  it('without rules nobody is captured; with them all TCP goes through the proxy, over both families', async () => {
    await answers([
      ['application', OUTSIDE, 80, 'outside 80'],
      ['outside', SELF, 8080, 'application'],
    ]);
    await pod.capture();
    await answers([
      ['application', OUTSIDE, 80, 'outbound port'],
      ['application', OUTSIDE6, 80, 'outbound port'],
      ['outside', SELF, 8080, 'inbound port'],
      ['outside', SELF6, 8080, 'inbound port'],
      ['proxy', OUTSIDE, 80, 'outside 80'],
      ['proxy', OUTSIDE6, 80, 'outside 80'],
      ['datagram', OUTSIDE, 53, 'outside names'],
      // What the application says to itself.
      ['application', '127.0.0.1', 8080, 'application'],
      ['application', SELF, 8080, 'application'],
      // The proxy to the application, and to its own pod as an endpoint.
      ['proxy', '127.0.0.1', 8080, 'application'],
      ['proxy', SELF, 8080, 'application', '127.0.0.6'],
      ['proxy', SELF6, 8080, 'application', '::6'],
      ['proxy', SELF, 8080, 'inbound port'],
      ['proxy', SELF6, 8080, 'inbound port'],
    ]);
    await pod.capture('--cleanup');
    await answers([
      ['application', OUTSIDE6, 80, 'outside 80'],
      ['outside', SELF6, 8080, 'application'],
    ]);
  });

  it('ports and ranges left out, inbound and outbound', async () => {
    await pod.capture('-d', '9090,15090', '-o', '443', '-x', `${OUTSIDE2}/32,fd09::1/128`);
    await answers([
      ['outside', SELF, 9090, 'application 9090'],
      ['outside', SELF6, 9090, 'application 9090'],
      ['outside', SELF, 8080, 'inbound port'],
      ['application', OUTSIDE, 443, 'outside 443'],
      ['application', OUTSIDE, 80, 'outbound port'],
      ['application', OUTSIDE2, 80, 'outside 80'],
      ['application', OUTSIDE6, 80, 'outside 80'],
    ]);
  });

  it('only the ports and ranges named are captured', async () => {
    await pod.capture('-b', '9090', '-i', '10.9.1.0/24', '-q', '8443');
    await answers([
      ['outside', SELF, 9090, 'inbound port'],
      ['outside', SELF, 8080, 'application'],
      ['application', OUTSIDE2, 80, 'outbound port'],
      ['application', OUTSIDE, 80, 'outside 80'],
      ['application', OUTSIDE, 8443, 'outbound port'],
      ['application', OUTSIDE6, 80, 'outside 80'],
      ['application', OUTSIDE6, 8443, 'outbound port'],
    ]);
    await pod.capture('-b', '', '-i', '');
    await answers([
      ['outside', SELF, 9090, 'application 9090'],
      ['application', OUTSIDE2, 80, 'outside 80'],
    ]);
  });

  it('a device left out, and other users of the proxy', async () => {
    await pod.capture('-c', 'eth0');
    await answers([
      ['outside', SELF, 8080, 'application'],
      ['application', OUTSIDE, 80, 'outside 80'],
    ]);
    await pod.capture('-u', '4711', '-g', '4711');
    await answers([['proxy', OUTSIDE, 80, 'outbound port']]);
  });

  it('queries for names go to the agent, but for its own', async () => {
    await pod.capture('--dns-port', '15053');
    await answers([
      ['datagram', OUTSIDE, 53, 'names of the agent'],
      ['datagram', OUTSIDE6, 53, 'names of the agent'],
      ['proxy', OUTSIDE, 53, 'outside 53'],
    ]);
  });

  it('twice is once; half of it, twice of it or an older form become the same; rules of others stay', async () => {
    await pod.capture('-d', '9090');
    const whole = await pod.rules();
    const whole6 = await pod.rules('ip6tables');
    await pod.capture('-d', '9090');
    assert.equal(await pod.rules(), whole);
    assert.equal(await pod.rules('ip6tables'), whole6);
    await pod.run(
      'iptables -t nat -F GATEHOUSE_OUTPUT && iptables -t nat -A OUTPUT -p tcp -j GATEHOUSE_OUTPUT && iptables -t nat -N GATEHOUSE_OLD && iptables -t nat -A OUTPUT -p udp -j GATEHOUSE_OLD',
    );
    await pod.capture('-d', '9090');
    assert.equal(await pod.rules(), whole);
    await pod.capture('--cleanup');
    await pod.run(
      'iptables -t nat -N GATEHOUSE_INBOUND; iptables -t nat -N THEIRS; iptables -t nat -A THEIRS -p tcp --dport 1 -j RETURN; iptables -t nat -A OUTPUT -j THEIRS',
    );
    await pod.capture('-d', '9090');
    await answers([['application', OUTSIDE, 80, 'outbound port']]);
    await pod.capture('--cleanup');
    assert.equal(
      await pod.rules(),
      [
        ':PREROUTING ACCEPT ',
        ':INPUT ACCEPT ',
        ':OUTPUT ACCEPT ',
        ':POSTROUTING ACCEPT ',
        ':THEIRS - ',
        '-A OUTPUT -j THEIRS',
        '-A THEIRS -p tcp -m tcp --dport 1 -j RETURN',
        'COMMIT',
      ]
        .map((line, index) => (index === 0 ? `*nat\n${line}` : line))
        .join('\n'),
    );
    await pod.run('iptables -t nat -D OUTPUT -j THEIRS; iptables -t nat -F THEIRS; iptables -t nat -X THEIRS');
  });

  it('killed at any moment it leaves all of it or nothing, and run again it makes the rest', async () => {
    const empty = await pod.rules();
    await pod.capture();
    const whole = await pod.rules();
    const seen = new Set<string>();
    for (let step = 0; step < STEPS; step++) {
      await pod.capture('--cleanup');
      await pod.tell({ does: 'capture', args: [], killAfterMs: AFTER_MS + step * STEP_MS });
      const rules = await pod.rules();
      assert.ok(rules === whole || rules === empty, `after ${AFTER_MS + step * STEP_MS} ms:\n${rules}`);
      seen.add(rules);
      if (step % 6 === 0) {
        await pod.capture();
        assert.equal(await pod.rules(), whole);
      }
    }
    assert.ok(seen.has(empty), 'no kill came before the rules were set');
  });

  it('--probe sees, as the user of the proxy, whether traffic is captured', async () => {
    const probe = (uid: number) => pod.tell<Ran>({ does: 'capture', args: ['--probe', '--output', 'json'], uid });
    await pod.tell({ does: 'run', command: 'free the inbound port' });
    const before = await probe(1337);
    assert.equal(before.status, 1);
    assert.match(before.out, /not captured/);
    await pod.capture('--log-level=info');
    const after = await probe(1337);
    assert.equal(after.status, 0, after.out + after.err);
    assert.deepEqual(
      (JSON.parse(after.out) as readonly { readonly family: string; readonly ok: boolean }[]).map(({ family, ok }) => [
        family,
        ok,
      ]),
      [
        ['IPv4', true],
        ['IPv6', true],
      ],
    );
    assert.equal((await probe(4711)).status, 1, 'another user cannot tell');
  });

  it('wrong usage is told, and changes nothing', async () => {
    for (const args of [
      ['-d', '70000'],
      ['-x', '10.0.0.0/33'],
      ['-i', '1.2.3.4;reboot'],
      ['-c', 'eth0 -j ACCEPT'],
      ['-u', 'root'],
      ['--cleanup', '--dry-run'],
    ]) {
      const ran = await pod.tell<Ran>({ does: 'capture', args });
      assert.equal(ran.status, 2, args.join(' '));
    }
    assert.doesNotMatch(await pod.rules(), /GATEHOUSE/);
  });

  it('without rights it says so', async () => {
    const ran = await pod.tell<Ran>({ does: 'capture', args: [], uid: 1337 });
    assert.equal(ran.status, 1);
    assert.match(ran.err, /iptables/);
  });
});

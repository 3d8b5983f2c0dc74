import { mkdirSync, openSync, closeSync, ftruncateSync, writeSync, constants } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { closedFolder } from '../../../sds/agent/run-directory.ts';
import { PROXY_ID } from '../../../kubernetes/capture/options.ts';
import { APPLICATION_USER } from '../agent-config.ts';
import type { Capture, CaptureResult } from '../capture.ts';
import type { ChildCommand } from '../child.ts';
import { findExecutable } from '../executable.ts';
import { network6 } from '../place.ts';
import type { Pod } from '../pod.ts';
import { deadLeases, dropLease, leaseDir, takeLease } from './lease.ts';
import { hostsFile } from './hosts.ts';
import { redirectRules } from './rules.ts';
import { run, runAll } from './run.ts';
import { chooseSubnet } from './subnet.ts';
import { NAMES, removeNamespace, tearDown } from './tear-down.ts';

const NEEDED = ['ip', 'iptables-restore', 'setpriv'];
const MOST_BRIDGES = 64;

/** Why pods cannot have network namespaces here, or undefined when they can. */
export function netnsObstacle(): string | undefined {
  if (process.platform !== 'linux') return '--capture netns needs Linux (use --capture explicit)';
  if (process.getuid?.() !== 0)
    return '--capture netns needs root, for network namespaces and iptables (use sudo, or --capture explicit)';
  const missing = NEEDED.filter((name) => findExecutable(name) === undefined);
  if (missing.length > 0)
    return `--capture netns needs ${missing.join(', ')} (on Debian: setup/system-packages.sh, or apt-get install iptables iproute2 util-linux)`;
  return undefined;
}

/** Pods in network namespaces of their own, with iptables rules as in a Kubernetes pod: applications know nothing of it. */
export async function netnsCapture(): Promise<CaptureResult> {
  const obstacle = netnsObstacle();
  if (obstacle !== undefined) return { ok: false, reason: obstacle };
  for (const dead of deadLeases()) {
    await tearDown(dead);
    dropLease(dead);
  }
  for (let number = 0; number < MOST_BRIDGES; number++) {
    if (!takeLease(number)) continue;
    const bridge = `gh${number}`;
    const created = await run('ip', ['link', 'add', bridge, 'type', 'bridge']);
    if (!created.ok) {
      dropLease(number);
      // Somebody else's device of that name: not ours to touch.
      if (/File exists/.test(created.reason)) continue;
      return { ok: false, reason: created.reason };
    }
    const routes = await run('ip', ['-4', 'route', 'show', 'table', 'all']);
    const destinations = routes.stdout
      .split('\n')
      .map((line) => line.replace(/^(local|broadcast|unreachable|blackhole) /, '').split(' ')[0] ?? '');
    const subnet = chooseSubnet(destinations);
    const ipv6 = await capturesIpv6();
    const failed =
      subnet === undefined
        ? 'every part of 10.0.0.0/8 is in use'
        : await runAll([
            ['ip', 'addr', 'add', `10.${subnet}.0.1/16`, 'dev', bridge],
            ...(ipv6 ? [['ip', 'addr', 'add', `${network6(number)}1/64`, 'dev', bridge, 'nodad']] : []),
            ['ip', 'link', 'set', bridge, 'up'],
          ]);
    if (subnet === undefined || failed !== undefined) {
      await tearDown(number);
      dropLease(number);
      return { ok: false, reason: failed ?? '' };
    }
    return { ok: true, capture: new NetnsCapture(number, subnet, ipv6) };
  }
  return { ok: false, reason: `all of gh0 to gh${MOST_BRIDGES - 1} are in use` };
}

const rulesOf = (family: 4 | 6) => redirectRules({ proxyUser: PROXY_ID, outboundPort: 15001, inboundPort: 15006, family });

/** Whether the kernel takes the rules for IPv6 too, as seen in a namespace that is gone at once. Where it does not, pods have IPv4 alone. */
async function capturesIpv6(): Promise<boolean> {
  const tried = await run(
    'unshare',
    ['--net', 'sh', '-c', 'ip link set lo up && ip addr add ::6/128 dev lo nodad && ip6tables-restore'],
    rulesOf(6),
  );
  return tried.ok;
}

class NetnsCapture implements Capture {
  readonly placement;
  readonly extraAddress: string;
  /** Proxies run as another user than root, who must be able to reach their sockets. */
  readonly agentDir: string;
  readonly #number: number;
  readonly #names = new Map<string, string>();
  readonly #openTo = new Map<string, boolean>();

  constructor(number: number, subnet: number, ipv6: boolean) {
    this.#number = number;
    this.placement = { kind: 'netns', number, subnet, ipv6 } as const;
    this.extraAddress = `10.${subnet}.0.1`;
    this.agentDir = join(leaseDir(number), 'agent');
  }

  async addPod(pod: Pod): Promise<void> {
    const bridge = `gh${this.#number}`;
    if (pod.netns === undefined) {
      const failed = await runAll([['ip', 'addr', 'replace', `${pod.ip}/16`, 'dev', bridge]]);
      if (failed !== undefined) throw new Error(failed);
      return;
    }
    const name = pod.netns;
    const veth = name.replace('-', 'v');
    mkdirSync(join(NAMES, name), { recursive: true, mode: 0o755 });
    this.#write(pod, '127.0.0.1 localhost\n');
    const failed = await runAll([
      ['ip', 'netns', 'add', name],
      ['ip', 'link', 'add', veth, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name],
      ['ip', 'link', 'set', veth, 'master', bridge, 'up'],
      // Where IPv6 is not captured, there is none.
      ...(pod.ip6 === undefined
        ? [['ip', 'netns', 'exec', name, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 2>/dev/null || true']]
        : []),
    ]);
    if (failed !== undefined) throw new Error(failed);
    // Before the device is up, so that nothing ever passes uncaptured.
    for (const family of pod.ip6 === undefined ? ([4] as const) : ([4, 6] as const)) {
      const program = family === 4 ? 'iptables-restore' : 'ip6tables-restore';
      const restored = await run('ip', ['netns', 'exec', name, program], rulesOf(family));
      if (!restored.ok) throw new Error(restored.reason);
    }
    const connected = await runAll([
      ['ip', '-n', name, 'link', 'set', 'lo', 'up'],
      ['ip', '-n', name, 'addr', 'add', `${pod.ip}/16`, 'dev', 'eth0'],
      ['ip', '-n', name, 'link', 'set', 'eth0', 'up'],
      // Virtual addresses (240.240.0.0/16) need a route to be sent at all; the rules take them before they leave.
      ['ip', '-n', name, 'route', 'add', 'default', 'via', this.extraAddress],
      ...(pod.ip6 === undefined ? [] : this.#ipv6(name, pod.ip6)),
    ]);
    if (connected !== undefined) throw new Error(connected);
    if (pod.application !== undefined) await this.#checkReadable(pod.application.cwd);
  }

  /** The loopback device has the address from which the proxy calls ports that no Service names, as it has 127.0.0.6 by itself. */
  #ipv6(name: string, address: string): readonly (readonly string[])[] {
    return [
      ['ip', '-n', name, 'addr', 'add', '::6/128', 'dev', 'lo', 'nodad'],
      ['ip', '-n', name, 'addr', 'add', `${address}/64`, 'dev', 'eth0', 'nodad'],
      ['ip', '-n', name, '-6', 'route', 'add', 'default', 'via', `${network6(this.#number)}1`],
    ];
  }

  async removePod(pod: Pod): Promise<void> {
    if (pod.netns === undefined) {
      await run('ip', ['addr', 'del', `${pod.ip}/16`, 'dev', `gh${this.#number}`]);
      return;
    }
    this.#names.delete(pod.netns);
    await removeNamespace(pod.netns);
  }

  command(pod: Pod, application: ChildCommand): ChildCommand {
    if (pod.netns === undefined) return application;
    return {
      ...application,
      file: 'ip',
      args: [
        ...['netns', 'exec', pod.netns, 'setpriv'],
        ...this.#privileges(application.cwd ?? '/'),
        ...['--no-new-privs', '--pdeathsig', 'KILL', '--', application.file, ...application.args],
      ],
    };
  }

  refreshNames(snapshot: Snapshot, pods: Iterable<Pod>): void {
    const all = [...pods];
    for (const pod of all) if (pod.netns !== undefined) this.#write(pod, hostsFile(snapshot, pod.namespace, pod, all));
  }

  async close(): Promise<void> {
    await tearDown(this.#number);
    dropLease(this.#number);
  }

  /** Never the proxy's user, whose connections are not captured. Root without any capability where others may not read the files. */
  #privileges(cwd: string): readonly string[] {
    if (this.#openTo.get(cwd) === false) return ['--clear-groups', '--bounding-set', '-all', '--inh-caps', '-all'];
    return ['--reuid', String(APPLICATION_USER), '--regid', String(APPLICATION_USER), '--clear-groups'];
  }

  async #checkReadable(cwd: string): Promise<void> {
    if (this.#openTo.has(cwd)) return;
    const user = { uid: APPLICATION_USER, gid: APPLICATION_USER };
    const closed = (await closedFolder(cwd, user)) ?? (await closedFolder(dirname(process.execPath), user));
    this.#openTo.set(cwd, closed === undefined);
  }

  /** In place, as processes in the namespace have this very file mounted as /etc/hosts. */
  #write(pod: Pod, content: string): void {
    if (pod.netns === undefined || this.#names.get(pod.netns) === content) return;
    this.#names.set(pod.netns, content);
    const file = openSync(join(NAMES, pod.netns, 'hosts'), constants.O_WRONLY | constants.O_CREAT, 0o644);
    try {
      const length = writeSync(file, content, 0);
      ftruncateSync(file, length);
    } finally {
      closeSync(file);
    }
  }
}

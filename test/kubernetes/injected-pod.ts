// Runs the containers of an injected pod from its spec, as a kubelet would: in a network namespace, with the volumes in their places.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageCommand } from '../../cli/up/images.ts';
import { MAIN } from '../cli/running-serve.ts';
import { at } from './api-server.ts';

export interface PodNetwork {
  /** The network namespace and its device's name begin with this. */
  readonly name: string;
  readonly ip: string;
  readonly bridge: string;
  readonly gateway: string;
}

export interface PodVolumes {
  readonly token: string;
  readonly rootCert: string;
  /** Lines of /etc/hosts. */
  readonly hosts: readonly string[];
  /** In place of the machine's. */
  readonly resolvConf?: string;
  readonly envoy: string;
  /** Istio's own agent in place of ours, and its template of Envoy's bootstrap. */
  readonly pilotAgent?: { readonly program: string; readonly template: string };
}

const run = (command: string, args: string): void => void execFileSync(command, args.split(' '), { stdio: 'pipe' });
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

interface ContainerSpec {
  readonly name: string;
  readonly args: readonly string[];
  readonly env: readonly (readonly [string, string])[];
  readonly uid: number;
}

export class InjectedPod {
  readonly #pod: unknown;
  readonly #network: PodNetwork;
  readonly #folder: string;
  readonly #volumes: PodVolumes;
  readonly #children: ChildProcess[] = [];
  said = '';

  /** @param pod the object as the API server has it */
  constructor(pod: unknown, network: PodNetwork, folder: string, volumes: PodVolumes) {
    this.#pod = pod;
    this.#network = network;
    this.#folder = folder;
    this.#volumes = volumes;
    const { name, ip, bridge, gateway } = network;
    // Of a run that was cut off.
    spawnSync('ip', ['netns', 'del', name]);
    spawnSync('ip', ['link', 'del', `${name}v`]);
    run('ip', `netns add ${name}`);
    run('ip', `link add ${name}v type veth peer name eth0 netns ${name}`);
    run('ip', `link set ${name}v master ${bridge} up`);
    for (const args of [`link set lo up`, `addr add ${ip}/24 dev eth0`, 'link set eth0 up', `route add default via ${gateway}`])
      run('ip', `-n ${name} ${args}`);
    for (const sysctl of (at(pod, 'spec', 'securityContext', 'sysctls') ?? []) as readonly unknown[])
      execFileSync('ip', [
        ...['netns', 'exec', name, 'sh', '-c', 'echo "$1" > "/proc/sys/$2"', 'sh'],
        ...[String(at(sysctl, 'value')), String(at(sysctl, 'name')).replaceAll('.', '/')],
      ]);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'token'), volumes.token, { mode: 0o644 });
    writeFileSync(join(folder, 'root-cert.pem'), volumes.rootCert);
    writeFileSync(join(folder, 'hosts'), `127.0.0.1 localhost\n${volumes.hosts.join('\n')}\n`);
    if (volumes.resolvConf !== undefined) writeFileSync(join(folder, 'resolv.conf'), volumes.resolvConf);
    const labels = Object.entries(at(pod, 'metadata', 'labels') ?? {}).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
    writeFileSync(join(folder, 'labels'), labels.join('\n'));
  }

  /** The init container to its end, then the proxy; a gateway has no init container. @throws Error with what the init container said */
  start(): void {
    const capture = this.#container('istio-init');
    if (capture !== undefined) {
      const done = spawnSync('ip', this.#command(capture, capture.env), { encoding: 'utf8' });
      if (done.status !== 0) throw new Error(`istio-init: ${done.stdout}${done.stderr}`);
    }
    const proxy = this.#container('istio-proxy');
    if (proxy === undefined) throw new Error('the pod has no istio-proxy');
    this.#spawn(this.#command(proxy, proxy.env, this.#volumes.pilotAgent));
  }

  /** A process of the application. */
  application(program: string): void {
    this.#spawn(this.#applicationArgs(program));
  }

  /** A container of the application, with the pod's names. */
  container({ command, cwd, env }: ImageCommand): void {
    const variables = [['PATH', process.env['PATH'] ?? ''], ...Object.entries(env)].map(([name = '', value = '']) =>
      quoted(`${name}=${value}`),
    );
    const [program = '', ...args] = command;
    const words = [program === 'node' ? process.execPath : program, ...args].map(quoted).join(' ');
    const started = `mount --bind ${quoted(join(this.#folder, 'hosts'))} /etc/hosts && cd ${quoted(cwd)} && exec env -i ${variables.join(' ')}`;
    const rights = 'setpriv --reuid 1000 --regid 1000 --clear-groups';
    this.#spawn(['netns', 'exec', this.#network.name, 'sh', '-c', `${started} ${rights} ${words}`]);
  }

  /** What the application gets for a call, as `STATUS BODY`. */
  call(url: string): string {
    const program = `fetch(${JSON.stringify(url)}, { signal: AbortSignal.timeout(5000) }).then(async (r) => console.log(r.status, await r.text()), (e) => console.log('none', String(e)))`;
    return spawnSync('ip', this.#applicationArgs(program), { encoding: 'utf8' }).stdout.trim();
  }

  /** What a program of the application prints; servers of this process can answer meanwhile. */
  async ask(program: string): Promise<string> {
    const child = spawn('ip', this.#applicationArgs(program), { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await once(child, 'close');
    return said.trim();
  }

  /** The hook that the kubelet runs in the sidecar before it ends; its exit code and what it said. */
  preStop(): { readonly status: number | null; readonly said: string } {
    const proxy = (at(this.#pod, 'spec', 'initContainers', '1', 'lifecycle', 'preStop', 'exec', 'command') ??
      []) as readonly string[];
    const [program, ...args] = proxy;
    if (program !== 'gatehouse') throw new Error(`the hook is ${proxy.join(' ')}`);
    const { status, stdout, stderr } = spawnSync(
      'ip',
      ['netns', 'exec', this.#network.name, process.execPath, ...MAIN, ...args],
      {
        encoding: 'utf8',
      },
    );
    return { status, said: stdout + stderr };
  }

  stop(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    const { name } = this.#network;
    const pids = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' }).stdout.split('\n').map(Number);
    for (const pid of pids) if (pid > 1) process.kill(pid, 'SIGKILL');
    spawnSync('ip', ['netns', 'del', name]);
  }

  #applicationArgs(program: string): readonly string[] {
    const user = ['--reuid', '1000', '--regid', '1000', '--clear-groups'];
    return ['netns', 'exec', this.#network.name, 'setpriv', ...user, process.execPath, '-e', program];
  }

  #spawn(args: readonly string[]): void {
    const child = spawn('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (this.said += chunk.toString()));
    this.#children.push(child);
  }

  /** In a mount namespace of its own (which `ip netns exec` makes), volumes where the spec mounts them. */
  #command({ args, uid }: ContainerSpec, env: ContainerSpec['env'], istio?: PodVolumes['pilotAgent']): readonly string[] {
    const volumes = [
      // Where Istio's image has Envoy.
      ...(istio === undefined
        ? []
        : [
            'mount -t tmpfs tmpfs /opt && mkdir -p /opt/bin /opt/w',
            `ln -s ${quoted(this.#volumes.envoy)} /opt/bin/envoy`,
            'mount -t overlay overlay -o lowerdir=/usr/local/bin,upperdir=/opt/bin,workdir=/opt/w /usr/local/bin',
          ]),
      'mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w',
      'mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w /etc',
      `cat ${quoted(join(this.#folder, 'hosts'))} > /etc/hosts`,
      ...(this.#volumes.resolvConf === undefined
        ? []
        : [`rm -f /etc/resolv.conf && cat ${quoted(join(this.#folder, 'resolv.conf'))} > /etc/resolv.conf`]),
      'mount -t tmpfs tmpfs /run',
      'mkdir -p /etc/istio/pod /etc/istio/proxy /run/secrets/tokens /run/secrets/istio && chmod 777 /etc/istio/proxy',
      'mkdir -m 777 /run/secrets/workload-spiffe-uds /run/secrets/workload-spiffe-credentials /run/secrets/credential-uds',
      `cp ${quoted(join(this.#folder, 'labels'))} /etc/istio/pod/labels`,
      `cp ${quoted(join(this.#folder, 'token'))} /run/secrets/tokens/istio-token`,
      `cp ${quoted(join(this.#folder, 'root-cert.pem'))} /run/secrets/istio/root-cert.pem`,
    ].join(' && ');
    const rights = uid === 0 ? '' : `setpriv --reuid ${uid} --regid ${uid} --clear-groups --bounding-set=-all --no-new-privs `;
    const variables = [['PATH', process.env['PATH'] ?? ''], ['GATEHOUSE_ENVOY', this.#volumes.envoy], ...env].map(
      ([name = '', value = '']) => quoted(`${name}=${value}`),
    );
    const program =
      istio === undefined
        ? [process.execPath, ...MAIN, ...args]
        : [istio.program, 'proxy', 'sidecar', '--templateFile', istio.template, '--log_output_level=default:info'];
    const words = program.map(quoted).join(' ');
    return [
      'netns',
      'exec',
      this.#network.name,
      'sh',
      '-c',
      `${volumes} && cd / && exec env -i ${variables.join(' ')} ${rights}${words}`,
    ];
  }

  #container(name: string): ContainerSpec | undefined {
    const all = ['initContainers', 'containers'].flatMap((kind) => (at(this.#pod, 'spec', kind) ?? []) as readonly unknown[]);
    const found = all.find((one) => at(one, 'name') === name);
    if (found === undefined) return undefined;
    const env = ((at(found, 'env') ?? []) as readonly unknown[]).map(
      (one) => [String(at(one, 'name')), this.#value(one)] as const,
    );
    return {
      name,
      args: (at(found, 'args') ?? []) as readonly string[],
      env,
      uid: Number(at(found, 'securityContext', 'runAsUser')),
    };
  }

  /** What the kubelet would put for a variable. */
  #value(variable: unknown): string {
    const path = at(variable, 'valueFrom', 'fieldRef', 'fieldPath');
    const fields: Readonly<Record<string, unknown>> = {
      'metadata.name': at(this.#pod, 'metadata', 'name'),
      'metadata.namespace': at(this.#pod, 'metadata', 'namespace'),
      'status.podIP': this.#network.ip,
      'status.hostIP': this.#network.gateway,
      'spec.serviceAccountName': at(this.#pod, 'spec', 'serviceAccountName') ?? 'default',
      'spec.nodeName': 'n1',
    };
    if (typeof path === 'string') return textOf(fields[path]);
    return at(variable, 'valueFrom', 'resourceFieldRef', 'resource') === 'limits.cpu' ? '1' : textOf(at(variable, 'value'));
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

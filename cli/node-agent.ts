import { Command, Option } from 'commander';
import { destination, pino } from 'pino';
import { join, resolve } from 'node:path';
import { parseTrustDomain } from '../ca/identity/trust-domain.ts';
import type { Parsed } from '../ca/identity/parsed.ts';
import { parseBindAddress, parseHostname, parseHostPort, parseTtl } from '../sds/agent/scalars.ts';
import { systemClock, systemTimers } from '../sds/clock.ts';
import { bindMounts } from '../sds/csi/mounts.ts';
import { type NodeAgentConfig, runNodeAgent } from '../sds/csi/run-node-agent.ts';
import { logLevel } from './agent/pod-options.ts';
import { version } from './version.ts';

interface Flags {
  readonly controlPlane: string;
  readonly serverName?: string;
  readonly rootCert: string;
  readonly trustDomain: string;
  readonly domain: string;
  readonly runDir: string;
  readonly certificateTtl: string;
  readonly driver: string;
  readonly node?: string;
  readonly tokenAudience: string;
  readonly kubeletDir: string;
  readonly csiSocket?: string;
  readonly registrationDir?: string;
  readonly registration: boolean;
  readonly metricsAddress?: string;
  readonly logLevel: string;
}

const STDERR = 2;

/** `gatehouse node-agent`: identities for the pods of a node, as a CSI driver. */
export function nodeAgentCommand(): Command {
  return new Command('node-agent')
    .description("serve the pods of a node their identities: a CSI driver whose volumes have the pod's own socket")
    .requiredOption('--control-plane <host:port>', 'where certificates are asked for')
    .requiredOption('--root-cert <file>', 'first roots of the trust domain, PEM')
    .option('--server-name <name>', "in the control plane's certificate (default: its host)")
    .option('--trust-domain <name>', 'of all identities', 'cluster.local')
    .option('--domain <name>', 'DNS domain of the cluster', 'cluster.local')
    .option('--run-dir <dir>', 'sockets and state; in memory (tmpfs), so that tokens outlive a restart', '/run/gatehouse')
    .option('--certificate-ttl <duration>', 'lifetime to ask for', '24h')
    .option('--driver <name>', 'of the CSI driver, as in the CSIDriver object', 'csi.gatehouse.dev')
    .option('--node <name>', 'of this node (default: $NODE_NAME)')
    .option('--token-audience <name>', "of the pods' tokens, as in the CSIDriver object", 'istio-ca')
    .option('--kubelet-dir <dir>', "the kubelet's folder, at the same path here as there", '/var/lib/kubelet')
    .option('--csi-socket <path>', 'where the kubelet calls (default: KUBELET-DIR/plugins/DRIVER/csi.sock)')
    .option('--registration-dir <dir>', 'where the kubelet finds plugins (default: KUBELET-DIR/plugins_registry)')
    .option('--no-registration', 'something else registers the driver')
    .option('--metrics-address <ip:port>', 'serve metrics there')
    .addOption(new Option('--log-level <level>', 'of the log on stderr').argParser(logLevel).default('info'))
    .addHelpText(
      'after',
      `
Runs as root on each node (gatehouse install --node-agent). A pod asks for its socket by a volume:
  volumes: [{name: identity, csi: {driver: csi.gatehouse.dev, readOnly: true}}]
and finds SDS and the SPIFFE Workload API at socket in the folder where it mounts that. Tells what happens as JSON lines on stdout.

Examples:
  gatehouse node-agent --control-plane gatehouse.gatehouse-system.svc:15012 --root-cert /etc/gatehouse/root-cert.pem
  gatehouse proxy secrets --run-dir /run/gatehouse`,
    )
    .action(run);
}

async function run(flags: Flags): Promise<void> {
  const config = configOf(flags);
  if (!config.ok) {
    process.stderr.write(`gatehouse node-agent: ${config.reason}\n`);
    process.exitCode = 2;
    return;
  }
  const log = pino({ level: flags.logLevel, base: { program: 'gatehouse-node-agent' } }, destination({ fd: STDERR, sync: true }));
  // Whoever read the events may be gone; the pods are served all the same.
  process.stdout.on('error', () => {});
  const signalled = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.once(signal, () => resolve(signal));
  });
  const say = (event: object): void => void process.stdout.write(`${JSON.stringify(event)}\n`);
  try {
    const surroundings = { log, emit: say, clock: systemClock, timers: systemTimers, random: Math.random };
    const running = await runNodeAgent(config.value, surroundings, bindMounts);
    say({
      event: 'serving',
      driver: config.value.driver,
      csiSocket: config.value.csiSocket,
      workloads: running.status().workloads.length,
    });
    log.info({ signal: await signalled }, 'stopping');
    await running.stop();
  } catch (error) {
    log.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}

const DRIVER = /^[a-z0-9](?:[-a-z0-9.]{0,61}[a-z0-9])?$/;
const NODE_NAME = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

function configOf(flags: Flags): Parsed<NodeAgentConfig> {
  const refuse = (flag: string, reason: string): Parsed<NodeAgentConfig> => ({ ok: false, reason: `${flag} ${reason}` });
  const address = parseHostPort(flags.controlPlane);
  if (!address.ok) return refuse('--control-plane', address.reason);
  const serverName = parseHostname(flags.serverName ?? address.value.host);
  if (!serverName.ok) return refuse('--server-name', serverName.reason);
  const trustDomain = parseTrustDomain(flags.trustDomain);
  if (!trustDomain.ok) return refuse('--trust-domain', trustDomain.reason);
  const domain = parseHostname(flags.domain);
  if (!domain.ok) return refuse('--domain', domain.reason);
  const ttl = parseTtl(flags.certificateTtl);
  if (!ttl.ok) return refuse('--certificate-ttl', ttl.reason);
  const metrics = flags.metricsAddress === undefined ? undefined : parseBindAddress(flags.metricsAddress);
  if (metrics?.ok === false) return refuse('--metrics-address', metrics.reason);
  const node = flags.node ?? process.env['NODE_NAME'] ?? '';
  if (!NODE_NAME.test(node)) return refuse('--node', "must be the node's name (or set NODE_NAME)");
  if (!DRIVER.test(flags.driver)) return refuse('--driver', 'must be a DNS name of at most 63 characters');
  const kubeletDir = resolve(flags.kubeletDir);
  const csiSocket = resolve(flags.csiSocket ?? join(kubeletDir, 'plugins', flags.driver, 'csi.sock'));
  const directory = resolve(flags.registrationDir ?? join(kubeletDir, 'plugins_registry'));
  return {
    ok: true,
    value: {
      agent: {
        controlPlane: { address: address.value, serverName: serverName.value, rootCert: resolve(flags.rootCert) },
        trustDomain: trustDomain.value,
        federatedBundles: new Map(),
        secretsDirs: [],
        runDir: resolve(flags.runDir),
        takeoverMs: 0,
        metrics: metrics?.value,
      },
      ttlSeconds: ttl.value,
      domain: domain.value,
      driver: flags.driver,
      version,
      node,
      audience: flags.tokenAudience,
      kubeletDir,
      csiSocket,
      registration: flags.registration ? { directory, endpoint: csiSocket } : undefined,
    },
  };
}

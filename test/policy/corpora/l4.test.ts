import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { BlockList } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import { evaluate } from '../../../policy/evaluate/evaluate.ts';
import { TestAuthority } from '../../audit/envoy/certificates.ts';
import { envoyOrSkip, envoyPath } from '../../audit/envoy/process.ts';
import { startApplication } from '../envoy/application.ts';
import { send } from '../envoy/caller.ts';
import { startTarget } from '../envoy/target.ts';
import { port, request } from '../model.ts';
import { casesOf, corpusPath } from './corpus.ts';
import { askEnvoy, probe } from './golden/ask.ts';
import { compiled } from './golden/ours.ts';
import { freePorts } from './golden/ports.ts';
import type { Probe } from './golden/probes.ts';
import { isRecord, listOf, type Record, recordOf } from './golden/record.ts';
import { rulesOf } from './golden/slices.ts';
import { Translation } from './golden/translate.ts';
import { filterUnits, type Unit } from './golden/units.ts';
import { complete } from './judged.ts';

interface Conversion {
  readonly id: string;
  readonly input: string;
  readonly want: string;
  readonly wantEmpty: boolean;
}

const THEME = 'authz-l4-conversion';
const SCHEME = 'spiffe://';

interface Connection {
  readonly peer: string | undefined;
  readonly from: string;
  readonly port: number;
}

function texts(matches: unknown): readonly Record[] {
  return listOf(matches).map(recordOf);
}

function isPrincipal(peer: string | undefined): (match: Record) => boolean {
  return (match) => peer !== undefined && (match['presence'] !== undefined || match['exact'] === peer.slice(SCHEME.length));
}

function isBlock(from: string): (match: Record) => boolean {
  return ({ address, length }) => {
    const list = new BlockList();
    list.addSubnet([...Buffer.from(String(address), 'base64')].join('.'), Number(length), 'ipv4');
    return list.check(from, 'ipv4');
  };
}

/** ztunnel's Authorization, read as its index says: groups or, rules and, matches or, fields and; values or. */
function matches(match: Record, { peer, from, port: number }: Connection): boolean {
  const one = (field: string, test: (value: Record) => boolean): boolean =>
    match[field] === undefined || texts(match[field]).some(test);
  const none = (field: string, test: (value: Record) => boolean): boolean => !texts(match[field]).some(test);
  const ports = (field: string): boolean => listOf(match[field]).includes(number);
  const inNamespace = ({ exact }: Record): boolean => peer?.includes(`/ns/${String(exact)}/`) === true;
  return (
    one('principals', isPrincipal(peer)) &&
    none('notPrincipals', isPrincipal(peer)) &&
    one('namespaces', inNamespace) &&
    none('notNamespaces', inNamespace) &&
    one('sourceIps', isBlock(from)) &&
    none('notSourceIps', isBlock(from)) &&
    (match['destinationPorts'] === undefined || ports('destinationPorts')) &&
    !ports('notDestinationPorts')
  );
}

function groupMatches(group: unknown, connection: Connection): boolean {
  return listOf(recordOf(group)['rules']).every((rule) =>
    texts(recordOf(rule)['matches']).some((match) => matches(match, connection)),
  );
}

function documents(file: string): readonly Record[] {
  return parseAllDocuments(readFileSync(file, 'utf8'))
    .map((one): unknown => one.toJS())
    .filter((one): one is Record => isRecord(one));
}

/** The server name that a rule asks for: ztunnel has none, so that a rule with one is compared by who sends it. */
function serverName(policy: Record): string | undefined {
  return /"connection.sni","values":\["([^"]+)"/.exec(JSON.stringify(policy))?.[1];
}

describe('policy, corpus: what is left of policies below HTTP', function () {
  this.timeout(60_000);
  const path = corpusPath(THEME);
  const envoy = envoyPath();
  const cases = casesOf<Conversion>(THEME);
  let folder = '';
  before(function () {
    envoyOrSkip(this);
    if (path === undefined) this.skip();
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-l4-'));
  });
  after(() => {
    if (folder !== '') rmSync(folder, { recursive: true, force: true });
  });

  /** Rule by rule: what ztunnel denies, evaluate denies and Envoy denies. */
  async function compareRules({ input, want }: Conversion): Promise<void> {
    assert.ok(path !== undefined && envoy !== undefined);
    const translation = new Translation(await freePorts(2));
    const [written] = documents(join(path, input));
    const groups = listOf(recordOf(parse(readFileSync(join(path, want), 'utf8')) as unknown)['groups']);
    const named = { ...written, metadata: { ...recordOf(written?.['metadata']), namespace: 'foo' } };
    const slices = rulesOf(named);
    assert.equal(slices.length, groups.length);
    const bound = slices.map(({ policy }) => recordOf(translation.of(policy)));
    const other = translation.port(65_535);
    const units: readonly Unit[] = bound.map((policy) => {
      const [config] = compiled([policy], { folder, layer: 'tcp', meshConfig: {}, workload: { namespace: 'foo', labels: {} } });
      const [unit] = filterUnits(config ?? {});
      assert.ok(unit !== undefined);
      return unit;
    });
    const principals = [...new Set(JSON.stringify(groups).match(/(?<="exact":")[^"]+/g))];
    const peers = [undefined, 'spiffe://nobody', ...principals.flatMap((name) => [SCHEME + name, `spiffe://td/ns/${name}/sa/a`])];
    const connections = peers.flatMap((peer) =>
      ['10.10.10.10', '20.20.20.20', '30.30.30.30'].flatMap((from) =>
        [80, 65_535].map((number) => ({ peer, from, port: number })),
      ),
    );
    for (const [index, group] of groups.entries()) {
      const sni = serverName(slices[index]?.policy ?? {});
      const asked: readonly Probe[] = connections.map(({ peer, from, port: number }) =>
        probe({ peer, from: translation.text(from), port: number === 80 ? translation.port(80) : other, sni }),
      );
      const answers = await askEnvoy(envoy, folder, units.slice(index, index + 1), translation.ports, asked);
      const file = join(folder, 'rule.yaml');
      writeFileSync(file, stringify(slices[index]?.policy));
      const { snapshot } = loadMesh({ paths: [file] });
      for (const [at, connection] of connections.entries()) {
        // Plain text names no server; ztunnel leaves that condition out.
        if (sni !== undefined && connection.peer === undefined) continue;
        const denied = groupMatches(group, connection);
        assert.equal(answers[at]?.[0], denied, `Envoy, rule ${index}: ${JSON.stringify(connection)}`);
        const verdict = evaluate(
          snapshot,
          request({
            source: { principal: connection.peer, ip: connection.from },
            destination: { namespace: 'foo', port: port(connection.port), protocol: 'TCP', sni },
          }),
        );
        assert.equal(verdict.decision, denied ? 'DENY' : 'ALLOW', `evaluate, rule ${index}: ${JSON.stringify(connection)}`);
      }
    }
  }

  /** Who gets through to each port: in ztunnel's form STRICT everywhere is no policy, since it is one of its own. */
  async function comparePorts({ id, input, want, wantEmpty }: Conversion, index: number): Promise<void> {
    assert.ok(path !== undefined && envoy !== undefined);
    const groups = wantEmpty ? [] : listOf(recordOf(parse(readFileSync(join(path, want), 'utf8')) as unknown)['groups']);
    const namespace = readFileSync(join(path, input), 'utf8').includes('namespace: foo') ? 'foo' : 'default';
    const ports = [7070, 8080, 9090];
    const address = `127.${192 + (process.pid % 60)}.${(process.pid >> 6) % 256}.${150 + index}`;
    const authority = await TestAuthority.create();
    const stop = await startApplication(
      `${address.slice(0, address.lastIndexOf('.'))}.${100 + index}`,
      ports.map((number) => ({ port: number, protocol: 'TCP' })),
    );
    const labels = { app: 'a' };
    const target = await startTarget(envoy, {
      paths: [join(path, input)],
      meshConfig: {},
      target: {
        kind: 'sidecar',
        namespace,
        service: 'a',
        labels,
        ports: ports.map((number) => ({ name: `tcp-${number}`, protocol: 'TCP', service: number, workload: number })),
      },
      address,
      application: `${address.slice(0, address.lastIndexOf('.'))}.${100 + index}`,
      authority,
      folder: join(folder, id),
    });
    try {
      for (const number of ports) {
        const denied =
          wantEmpty || groups.some((group) => groupMatches(group, { peer: undefined, from: '127.0.0.1', port: number }));
        const { reached } = await send({ to: { host: address, port: number }, shown: 'plain', protocol: 'TCP' });
        assert.equal(reached, !denied, `Envoy, plain text to ${number}`);
        const verdict = evaluate(
          target.snapshot,
          request({ destination: { namespace, labels, port: port(number), protocol: 'TCP' } }),
        );
        assert.equal(verdict.decision, denied ? 'DENY' : 'ALLOW', `evaluate, plain text to ${number}`);
        if (!denied) continue;
        const shown = await authority.issue('spiffe://cluster.local/ns/foo/sa/b');
        const certified = await send({ to: { host: address, port: number }, shown, protocol: 'TCP' });
        assert.ok(certified.reached, `mutual TLS to ${number}`);
      }
    } finally {
      await target.stop();
      await stop();
    }
  }

  for (const [index, one] of cases.entries()) {
    it(one.id, () => (one.id.startsWith('peer-authn') ? comparePorts(one, index) : compareRules(one)));
  }
  complete(THEME, new Set(cases.map(({ id }) => id)));
});

interface Connections {
  readonly id: string;
  readonly policy?: Record;
  readonly connections?: readonly {
    readonly identity: string | null;
    readonly src: string;
    readonly dst: string;
    readonly matches: boolean;
  }[];
  readonly pattern?: string;
}

describe('policy, corpus: TCP connections in the real Envoy', function () {
  this.timeout(60_000);
  const envoy = envoyPath();
  const cases = casesOf<Connections>('ztunnel-rbac');
  let folder = '';
  before(function () {
    envoyOrSkip(this);
    if (cases.length === 0) this.skip();
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-connections-'));
  });
  after(() => {
    if (folder !== '') rmSync(folder, { recursive: true, force: true });
  });
  complete('ztunnel-rbac', new Set(cases.map(({ id }) => id)));
  for (const { id, policy, connections = [] } of cases) {
    if (policy === undefined) continue;
    it(id, async () => {
      assert.ok(envoy !== undefined);
      const translation = new Translation(await freePorts(3));
      const metadata = recordOf(policy['metadata']);
      const bound = recordOf(translation.of({ ...policy, metadata: { ...metadata, name: 'policy' } }));
      const workload = { namespace: String(metadata['namespace']), labels: {} };
      const [config] = compiled([bound], { folder, layer: 'tcp', meshConfig: {}, workload });
      const asked = connections.map(({ identity, src, dst }) => {
        const [to = '', number = ''] = dst.split(':');
        return probe({
          peer: identity ?? undefined,
          from: translation.text(src.split(':')[0] ?? ''),
          to: translation.text(to),
          port: translation.port(Number(number)),
        });
      });
      const answers = await askEnvoy(envoy, folder, filterUnits(config ?? {}), translation.ports, asked);
      assert.deepEqual(
        answers.map((one) => one?.[0]),
        connections.map((one) => !one.matches),
      );
    });
  }
});

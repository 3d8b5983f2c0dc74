import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toJson } from '@bufbuild/protobuf';
import { stringify } from 'yaml';
import { ListenerSchema } from '#gen/envoy/config/listener/v3/listener_pb.js';
import { SubjectAltNameMatcherSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js';
import { mtlsSetting, workloadMtlsSetting } from '../../../policy/peer-authentication/mode.ts';
import { anyMeshIdentity } from '../../../routing/tls/secure-naming.ts';
import { EXTENSIONS } from '../../../routing/wire/registry.ts';
import { TestAuthority } from '../../audit/envoy/certificates.ts';
import { loadTarget } from '../envoy/target.ts';
import { MESH_CONFIG, port, snapshot } from '../model.ts';
import { casesOf, corpusPath } from './corpus.ts';
import { isRecord, listOf, type Record, recordOf } from './golden/record.ts';
import { judged, listed } from './judged.ts';

interface Case {
  readonly id: string;
  readonly table: string;
  readonly row: Record;
}

const THEME = 'authn-units';
const ROOT = 'root-namespace';

function rows(...tables: readonly string[]): readonly Case[] {
  return casesOf<Case>(THEME).filter(({ table }) => tables.includes(table));
}

function eachOf(cases: readonly Case[], decide: (row: Record) => void): void {
  if (cases.length === 0) {
    it('rows', function () {
      this.skip();
    });
  }
  for (const { id, row } of cases) judged(THEME, id, () => decide(row));
}

/** A PeerAuthentication of a row, which may leave out what it is not about. */
function written(one: unknown, index: number): Record {
  const found = recordOf(one);
  const metadata = recordOf(found['metadata']);
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name: `policy-${index}`, namespace: 'my-ns', ...metadata },
    spec: found['spec'] ?? found['Spec'] ?? {},
  };
}

/** The mesh of a workload with one port, under policies; `meshConfig` has the root namespace. */
function loaded(
  policies: readonly Record[],
  protocol: string,
  workload: { namespace: string; labels: object },
  root = ROOT,
  mesh: Record = {},
) {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-peers-'));
  try {
    const file = join(folder, 'policies.yaml');
    writeFileSync(file, policies.map((one) => stringify(one)).join('---\n'));
    return loadTarget({
      paths: [file],
      meshConfig: { rootNamespace: root, ...mesh },
      target: {
        kind: 'sidecar',
        namespace: workload.namespace,
        service: 'foo',
        labels: { ...workload.labels },
        ports: [{ name: protocol.toLowerCase(), protocol, service: 8080, workload: 8080 }],
      },
      address: '127.200.0.3',
      application: '127.200.0.4',
      authority: NOBODY,
      folder,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

let NOBODY: TestAuthority;
before(async () => {
  NOBODY = await TestAuthority.create();
});

/** The server's TLS contexts of the port, as JSON: of each filter chain that ends TLS. */
function contexts({ compiled }: ReturnType<typeof loaded>): readonly Record[] {
  return compiled.listeners
    .filter(({ name }) => name === 'inbound_8080')
    .map((listener) => recordOf(toJson(ListenerSchema, listener, { registry: EXTENSIONS })))
    .flatMap(({ filterChains }) => listOf(filterChains).map(recordOf))
    .flatMap(({ transportSocket }) => (isRecord(transportSocket) ? [recordOf(transportSocket['typedConfig'])] : []));
}

describe('PeerAuthentication, corpus: how a port takes mutual TLS', () => {
  eachOf(rows('TestInboundMTLSSettings'), (row) => {
    const expected = recordOf(row['expected']);
    const policies = listOf(row['peerPolicies']).map(written);
    const workload = { namespace: 'my-ns', labels: { app: 'foo' } };
    for (const protocol of ['HTTP', 'TCP']) {
      const made = loaded(policies, protocol, workload);
      assert.equal(mtlsSetting(made.snapshot, workload, port(Number(expected['Port']))).mode, expected['Mode']);
      const wanted = expected[protocol];
      const found = contexts(made);
      if (wanted === undefined) {
        assert.deepEqual(found, [], protocol);
        continue;
      }
      assert.ok(found.length > 0, protocol);
      for (const context of found) compareContexts(context, recordOf(wanted));
    }
  });
});

/** Ours has no cipher without forward secrecy, and says whose certificates are taken also where there is no alias. */
function compareContexts(got: Record, want: Record): void {
  const [mine, theirs] = [recordOf(got['commonTlsContext']), recordOf(want['commonTlsContext'])];
  assert.equal(got['requireClientCertificate'], want['requireClientCertificate']);
  assert.deepEqual(mine['alpnProtocols'], theirs['alpnProtocols']);
  const names = (context: Record): unknown => [
    listOf(context['tlsCertificateSdsSecretConfigs']).map((one) => recordOf(one)['name']),
    recordOf(recordOf(context['combinedValidationContext'])['validationContextSdsSecretConfig'])['name'],
  ];
  assert.deepEqual(names(mine), names(theirs));
  const [ours, istios] = [recordOf(mine['tlsParams']), recordOf(theirs['tlsParams'])];
  assert.equal(ours['tlsMinimumProtocolVersion'], istios['tlsMinimumProtocolVersion']);
  assert.equal(ours['tlsMaximumProtocolVersion'], istios['tlsMaximumProtocolVersion']);
  const ciphers = listOf(istios['cipherSuites']).filter((name) => String(name).startsWith('ECDHE-'));
  assert.deepEqual(ours['cipherSuites'], ciphers);
}

describe('PeerAuthentication, corpus: versions of TLS, and who may call', () => {
  const WORKLOAD = { namespace: 'my-ns', labels: {} };
  const parametersOf = (context: Record | undefined) => recordOf(recordOf(context?.['commonTlsContext'])['tlsParams']);
  eachOf(rows('TestGetMTLSCipherSuites'), (row) => {
    const [context] = contexts(loaded([], 'HTTP', WORKLOAD, ROOT, recordOf(row['mesh'])));
    assert.deepEqual(parametersOf(context)['cipherSuites'], row['expectedMTLSCipherSuites']);
  });
  eachOf(rows('TestGetMinTLSVersion'), (row) => {
    const minProtocolVersion = row['minTLSVer'];
    const mesh = minProtocolVersion === undefined ? {} : { meshMTLS: { minProtocolVersion } };
    const [context] = contexts(loaded([], 'HTTP', WORKLOAD, ROOT, mesh));
    assert.equal(parametersOf(context)['tlsMinimumProtocolVersion'], row['expectedMinTLSVer']);
  });
  const aliased = rows('TestApplyToCommonTLSContext').filter(({ row }) => row['trustDomainAliases'] !== undefined);
  eachOf(aliased, (row) => {
    const [own, ...trustDomainAliases] = listOf(row['trustDomainAliases']).map(String);
    const trustDomain = {
      ...MESH_CONFIG,
      trustDomain: MESH_CONFIG.trustDomain,
      trustDomainAliases: [own ?? '', ...trustDomainAliases],
    };
    const context = recordOf(recordOf(recordOf(row['expected'])['combinedValidationContext'])['defaultValidationContext']);
    const accepted = anyMeshIdentity(trustDomain).map((one) => recordOf(toJson(SubjectAltNameMatcherSchema, one))['matcher']);
    // The mesh's own name is among ours as well; Istio counts it among the aliases.
    assert.deepEqual(accepted.slice(1), context['matchSubjectAltNames']);
  });
});

interface Wanted {
  readonly metadata: { readonly name: string; readonly namespace: string };
}

describe('PeerAuthentication, corpus: which policies apply', () => {
  const path = corpusPath(THEME);
  const fixture = (): readonly Record[] => {
    assert.ok(path !== undefined);
    const text = readFileSync(join(path, 'fixtures', 'getTestAuthenticationPolicies.json'), 'utf8');
    return listOf(recordOf(JSON.parse(text) as unknown)['policies'])
      .map(recordOf)
      .filter(({ kind }) => kind === 'PeerAuthentication');
  };
  const decide =
    (withMesh: boolean) =>
    (row: Record): void => {
      const all = fixture().filter((one) => withMesh || recordOf(one['metadata'])['namespace'] !== 'istio-config');
      const wanted = listOf(row['wantPeerAuthn']) as readonly Wanted[];
      const chosen = all.filter((one) => {
        const { name, namespace } = recordOf(one['metadata']);
        return wanted.some(({ metadata }) => metadata.name === name && metadata.namespace === namespace);
      });
      assert.equal(chosen.length, wanted.length);
      const workload = {
        namespace: String(row['workloadNamespace']),
        labels: recordOf(row['workloadLabels']) as Readonly<globalThis.Record<string, string>>,
      };
      // Those that apply, and nothing else, decide.
      const [ofAll, ofChosen] = [all, chosen].map((policies) => loaded(policies, 'HTTP', workload, 'istio-config').snapshot);
      assert.ok(ofAll !== undefined && ofChosen !== undefined);
      for (const number of [80, 8080, 9090])
        assert.deepEqual(mtlsSetting(ofAll, workload, port(number)), mtlsSetting(ofChosen, workload, port(number)));
      const others = { namespace: workload.namespace, labels: {} };
      assert.equal(workloadMtlsSetting(ofAll, others).mode, row['wantNamespaceMutualTLS'] ?? 'PERMISSIVE');
    };
  // Rows that are listed are so for the RequestAuthentications in them; these hold.
  for (const { id, table, row } of rows(
    'TestGetPoliciesForWorkload',
    'TestGetPoliciesForGatewayPolicyAttachmentOnly',
    'TestGetPoliciesForWorkloadWithoutMeshPeerAuthn',
  ))
    it(id, () => decide(!table.includes('WithoutMesh'))(row));
  const inferred = rows('TestBestEffortInferServiceMTLSMode').filter(({ id }) => !listed(THEME).has(id));
  eachOf(inferred, (row) => {
    const policies = [
      written({ metadata: { namespace: 'whole', name: 'whole' }, spec: { mtls: { mode: 'STRICT' } } }, 0),
      written(
        {
          metadata: { namespace: 'partial', name: 'partial' },
          spec: { selector: { matchLabels: { version: 'v1' } }, mtls: { mode: 'DISABLE' } },
        },
        1,
      ),
    ];
    const workload = { namespace: String(row['serviceNamespace']), labels: {} };
    const made = loaded(policies, 'HTTP', workload, ROOT).snapshot;
    assert.equal(mtlsSetting(made, workload, port(Number(row['servicePort']))).mode, row['wanted']);
    assert.equal(workloadMtlsSetting(snapshot({}), workload).mode, 'PERMISSIVE');
  });
});

/** Tables that are run in other files, whole. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  'TestComposePeerAuthentication',
  'TestJwtFilter',
  'TestConvertToEnvoyJwtConfig',
  'TestBuildSpaceDelimitedClaims',
  'TestValidateJWKSFormat',
  'TestCompareJWKSResponse',
  'TestJwksBlockedIP',
]);
const HERE: ReadonlySet<string> = new Set([
  'TestInboundMTLSSettings',
  'TestGetMinTLSVersion',
  'TestGetMTLSCipherSuites',
  'TestGetPoliciesForWorkload',
  'TestGetPoliciesForGatewayPolicyAttachmentOnly',
  'TestGetPoliciesForWorkloadWithoutMeshPeerAuthn',
]);
const IN_PART: ReadonlySet<string> = new Set([
  'applytocommontlscontext/mtlsstrict-using-sds-and-san-aliases',
  'besteffortinferservicemtlsmode/from-namespace-policy',
  'besteffortinferservicemtlsmode/from-mesh-default',
]);

it('authn-units: every row is run, or it or its table is named on the page of divergences', function () {
  const all = casesOf<Case>(THEME);
  if (all.length === 0) this.skip();
  const page = readFileSync(join(import.meta.dirname, '../../../docs/divergences.md'), 'utf8');
  const named = new Set(page.match(/Test\w+/g));
  const left = all.filter(
    ({ id, table }) =>
      !ELSEWHERE.has(table) && !HERE.has(table) && !IN_PART.has(id) && !listed(THEME).has(id) && !named.has(table),
  );
  assert.deepEqual(
    left.map(({ id }) => id),
    [],
  );
});

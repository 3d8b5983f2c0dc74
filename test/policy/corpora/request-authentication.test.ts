import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary, toJson } from '@bufbuild/protobuf';
import { JwtAuthenticationSchema } from '#gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js';
import { isForbidden } from '../../../cli/serve/jwks/http-get.ts';
import { admit } from '../../../mesh/admit/admit.ts';
import { DEFAULT_MESH_CONFIG } from '../../../mesh/admit/mesh-config.ts';
import { nodeOf } from '../../../mesh/admit/node.ts';
import { buildSnapshot } from '../../../mesh/admit/snapshot.ts';
import { type JsonWebKeys, parseJsonWebKeys } from '../../../mesh/model/json-web-keys.ts';
import type { RequestAuthentication } from '../../../mesh/model/request-authentication.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { type KnownKeys, locationOf } from '../../../policy/jwks/known.ts';
import { wantedKeys } from '../../../policy/jwks/wanted.ts';
import { listClaims, requestAuthenticationsFor } from '../../../policy/request-authentication/applying.ts';
import { jwtAuthentication } from '../../../policy/request-authentication/filter.ts';
import { divergences } from '../../mesh/corpus/divergences.ts';
import { casesOf, corpusPath } from './corpus.ts';

type Json = Readonly<Record<string, unknown>>;

interface Case {
  readonly id: string;
  readonly table: string;
  readonly row: Json;
}

const THEME = 'authn-units';
const DIVERGENT = divergences(THEME);

function snapshotOf(objects: readonly unknown[], rootNamespace = 'istio-system'): Snapshot {
  const meshConfig = { ...DEFAULT_MESH_CONFIG, rootNamespace };
  const documents = objects.map((object) => ({ file: 'case.yaml', offset: 0, node: nodeOf(object, 1) }));
  const { admitted, diagnostics } = admit(documents, { meshConfig, defaultNamespace: 'default' });
  assert.deepEqual(
    diagnostics.filter(({ severity }) => severity === 'error'),
    [],
  );
  return buildSnapshot(admitted, meshConfig, 1).snapshot;
}

function keysOf(text: string): JsonWebKeys | undefined {
  const read = parseJsonWebKeys(text);
  return read.ok ? read.value.keys : undefined;
}

/** A filter without what is ours to choose: the spelling of keys, the key that nobody can sign with, what is remembered. */
function comparable(filter: unknown): unknown {
  const copy = structuredClone(filter) as {
    providers?: Record<string, { localJwks?: { inlineString: string }; jwtCacheConfig?: unknown; clearRouteCache?: unknown }>;
  };
  for (const provider of Object.values(copy.providers ?? {})) {
    delete provider.jwtCacheConfig;
    // Istio has it at gateways only, where routes ask for claims.
    delete provider.clearRouteCache;
    const text = provider.localJwks?.inlineString ?? '';
    const { keys = [] } = (keysOf(text) === undefined ? {} : JSON.parse(text)) as { keys?: { kid?: string }[] };
    // Istio's own key that nobody has stands for an issuer without keys; it names no kid.
    const real = keys.filter(({ kid }) => kid !== undefined && kid !== 'gatehouse-nobody');
    if (provider.localJwks !== undefined) provider.localJwks.inlineString = keysOf(JSON.stringify({ keys: real })) ?? '';
  }
  return copy;
}

/** What the test server of a case answered: the keys that Istio put into its filter. */
function answered(snapshot: Snapshot, expected: unknown): KnownKeys {
  const { providers = {} } = (expected ?? {}) as { providers?: Record<string, { localJwks?: { inlineString: string } }> };
  const [first] = Object.values(providers);
  const keys = keysOf(first?.localJwks?.inlineString ?? '');
  return new Map(
    wantedKeys(snapshot).flatMap((source) =>
      keys === undefined || !(source.kind === 'uri' && source.uri.includes('localhost'))
        ? []
        : [[locationOf(source), keys] as const],
    ),
  );
}

function compared(specs: readonly unknown[], expected: unknown): void {
  const objects = specs.map((spec, index) => ({
    apiVersion: 'security.istio.io/v1',
    kind: 'RequestAuthentication',
    metadata: { name: `policy-${index}`, namespace: 'default' },
    spec,
  }));
  const snapshot = snapshotOf(objects);
  const filter = jwtAuthentication(snapshot, { namespace: 'default', labels: {} }, answered(snapshot, expected));
  const found =
    filter === undefined
      ? undefined
      : comparable(toJson(JwtAuthenticationSchema, fromBinary(JwtAuthenticationSchema, filter.value)));
  assert.deepEqual(found, expected === undefined ? undefined : comparable(expected));
}

function names(
  policies: readonly RequestAuthentication[] | readonly { metadata: { namespace: string; name: string } }[],
): readonly string[] {
  return policies
    .map((one) => ('meta' in one ? `${one.meta.namespace}/${one.meta.name}` : `${one.metadata.namespace}/${one.metadata.name}`))
    .sort();
}

const RUN: Readonly<Record<string, (row: Json) => void>> = {
  TestJwtFilter: (row) => {
    const { expected, in: policies } = row as { expected?: { typedConfig: Json }; in?: { Spec: unknown }[] };
    const { '@type': _type, ...filter } = expected?.typedConfig ?? {};
    compared(
      (policies ?? []).map(({ Spec }) => Spec),
      expected === undefined ? undefined : filter,
    );
  },
  TestConvertToEnvoyJwtConfig: (row) => {
    compared([{ jwtRules: row['in'] }], row['expected']);
  },
  TestBuildSpaceDelimitedClaims: (row) => {
    const { input = [], expected } = row as { input?: string[]; expected: string[] };
    const snapshot = snapshotOf([
      {
        apiVersion: 'security.istio.io/v1',
        kind: 'RequestAuthentication',
        metadata: { name: 'a' },
        spec: { jwtRules: [{ issuer: 'a', spaceDelimitedClaims: input }] },
      },
    ]);
    const rule = snapshot.requestAuthentications[0]?.rules[0];
    assert.ok(rule !== undefined);
    assert.deepEqual(listClaims(rule), expected);
  },
  TestValidateJWKSFormat: (row) => {
    assert.equal(parseJsonWebKeys(String(row['body'])).ok, row['wantErr'] !== true);
  },
  TestCompareJWKSResponse: (row) => {
    const {
      args,
      want = false,
      wantErr = false,
    } = row as {
      args: { oldKeyString: string; newKeyString: string };
      want?: boolean;
      wantErr?: boolean;
    };
    const [before, after] = [keysOf(args.oldKeyString), keysOf(args.newKeyString)];
    if (wantErr) assert.equal(after, undefined);
    else assert.equal(before !== after, want);
  },
  TestJwksBlockedIP: (row) => {
    assert.equal(isForbidden(String(row['ip'])), row['blocked'] === true);
  },
  TestGetPoliciesForWorkload: selected,
  TestGetPoliciesForGatewayPolicyAttachmentOnly: selected,
};

function selected(row: Json): void {
  const { workloadNamespace, workloadLabels, wantRequestAuthn } = row as {
    workloadNamespace: string;
    workloadLabels?: Record<string, string>;
    wantRequestAuthn?: { metadata: { namespace: string; name: string } }[];
  };
  const path = corpusPath(THEME);
  assert.ok(path !== undefined);
  const fixture = JSON.parse(readFileSync(join(path, 'fixtures', 'getTestAuthenticationPolicies.json'), 'utf8')) as {
    policies: Json[];
  };
  // Their rules are not what this is about, and not all of them would be admitted.
  const objects = fixture.policies
    .filter(({ kind }) => kind === 'RequestAuthentication')
    .map((object) => ({ ...object, spec: { ...(object['spec'] as Json), jwtRules: undefined } }));
  const snapshot = snapshotOf(objects, 'istio-config');
  const found = requestAuthenticationsFor(snapshot, { namespace: workloadNamespace, labels: workloadLabels ?? {} });
  assert.deepEqual(names(found), names(wantRequestAuthn ?? []));
}

describe("RequestAuthentication, against Istio's own cases", () => {
  const cases = casesOf<Case>(THEME).filter(({ table }) => Object.hasOwn(RUN, table));
  if (cases.length === 0) {
    it('the corpora are here', function () {
      this.skip();
    });
  }
  for (const { id, table, row } of cases) {
    it(id, () => {
      const run = (): void => RUN[table]?.(row);
      if (!DIVERGENT.has(id)) return run();
      return assert.throws(run, assert.AssertionError, `${id} is answered as Istio does: take it off docs/divergences.md`);
    });
  }
});

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary, toJson } from '@bufbuild/protobuf';
import * as fc from 'fast-check';
import { HeaderMutationSchema } from '#gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js';
import { JwtAuthenticationSchema } from '#gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js';
import { admit } from '../../../mesh/admit/admit.ts';
import { DEFAULT_MESH_CONFIG } from '../../../mesh/admit/mesh-config.ts';
import { nodeOf } from '../../../mesh/admit/node.ts';
import { buildSnapshot } from '../../../mesh/admit/snapshot.ts';
import { NO_KEYS } from '../../../policy/jwks/known.ts';
import { jwtAuthentication, outputHeaders } from '../../../policy/request-authentication/filter.ts';
import { envoyOrSkip } from '../../audit/envoy/process.ts';

const TYPE = 'type.googleapis.com/envoy.extensions';
const SEED = Number(process.env['GATEHOUSE_SEED'] ?? 20261121);

/** Texts that somebody could write or send to break a filter: what is odd in one place is often right in another. */
const text = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '*',
    '.',
    '..',
    'a.b',
    'a..b',
    ':path',
    ':authority',
    'Host',
    'x y',
    'x\ty',
    'x\r\ny',
    'x\0y',
    'é',
    '\u{1f600}',
    '\ud800',
    '%',
    '%REQ(x)%',
    '{{',
    '"',
    '\\',
    "'",
    'a'.repeat(300),
  ),
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.stringMatching(/^[-_A-Za-z0-9]{1,12}$/),
);
const texts = fc.array(text, { maxLength: 2 });
const key = fc.oneof(
  fc.json(),
  fc
    .record(
      {
        kty: fc.constantFrom('RSA', 'EC', 'OKP', 'oct', 'x'),
        kid: text,
        alg: text,
        n: text,
        e: text,
        crv: text,
        x: text,
        y: text,
        k: text,
        x5c: texts,
      },
      { requiredKeys: ['kty'] },
    )
    .map((one) => JSON.stringify(one)),
);
const rule = fc.record(
  {
    issuer: text,
    audiences: texts,
    jwks: fc.array(key, { maxLength: 2 }).map((keys) => `{"keys":[${keys.join(',')}]}`),
    fromHeaders: fc.array(fc.record({ name: text, prefix: text }, { requiredKeys: ['name'] }), { maxLength: 2 }),
    fromParams: texts,
    fromCookies: texts,
    outputPayloadToHeader: text,
    outputClaimToHeaders: fc.array(fc.record({ header: text, claim: text }), { maxLength: 2 }),
    spaceDelimitedClaims: texts,
    forwardOriginalToken: fc.boolean(),
    presence: fc.constantFrom('REQUIRED', 'OPTIONAL'),
  },
  { requiredKeys: ['issuer'] },
);

/** The filters of one rule by itself; undefined when it is not admitted. */
function filtersOf(jwtRule: unknown): readonly object[] | undefined {
  const object = {
    apiVersion: 'security.istio.io/v1',
    kind: 'RequestAuthentication',
    metadata: { name: 'odd', namespace: 'shop' },
    spec: { jwtRules: [jwtRule] },
  };
  const { admitted } = admit([{ file: 'odd.yaml', offset: 0, node: nodeOf(object, 1) }], {
    meshConfig: DEFAULT_MESH_CONFIG,
    defaultNamespace: 'shop',
  });
  const { snapshot } = buildSnapshot(admitted, DEFAULT_MESH_CONFIG, 1);
  const workload = { namespace: 'shop', labels: {} };
  const tokens = jwtAuthentication(snapshot, workload, NO_KEYS);
  if (tokens === undefined) return undefined;
  const headers = outputHeaders(snapshot, workload);
  const typed = (type: string, config: unknown): object => ({ '@type': `${TYPE}.filters.http.${type}`, ...Object(config) });
  return [
    ...(headers === undefined
      ? []
      : [
          {
            name: 'h',
            typed_config: typed(
              'header_mutation.v3.HeaderMutation',
              toJson(HeaderMutationSchema, fromBinary(HeaderMutationSchema, headers.value)),
            ),
          },
        ]),
    {
      name: 'j',
      typed_config: typed(
        'jwt_authn.v3.JwtAuthentication',
        toJson(JwtAuthenticationSchema, fromBinary(JwtAuthenticationSchema, tokens.value)),
      ),
    },
  ];
}

function bootstrap(all: readonly (readonly object[])[]): object {
  const listener = (filters: readonly object[], index: number): object => ({
    name: `l${index}`,
    address: { pipe: { path: `@gatehouse-odd-${process.pid}-${index}` } },
    filter_chains: [
      {
        filters: [
          {
            name: 'hcm',
            typed_config: {
              '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
              stat_prefix: 'x',
              route_config: { virtual_hosts: [] },
              http_filters: [...filters, { name: 'r', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } }],
            },
          },
        ],
      },
    ],
  });
  return { static_resources: { listeners: all.map(listener) } };
}

describe('RequestAuthentications that are admitted', function () {
  this.timeout(60_000);
  it('are taken by the real Envoy, however odd they are', function () {
    const envoy = envoyOrSkip(this);
    const rules = fc.sample(rule, { numRuns: 3_000, seed: SEED });
    const taken = rules.flatMap((one) => {
      const filters = filtersOf(one);
      return filters === undefined ? [] : [{ one, filters }];
    });
    assert.ok(taken.length > 100, `only ${taken.length} of ${rules.length} were admitted`);
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-odd-'));
    const refusal = (some: typeof taken): string | undefined => {
      const file = join(folder, 'envoy.json');
      writeFileSync(file, JSON.stringify(bootstrap(some.map(({ filters }) => filters))));
      const { status, stderr } = spawnSync(envoy, ['--mode', 'validate', '-c', file, '-l', 'error'], { encoding: 'utf8' });
      return status === 0 ? undefined : stderr;
    };
    try {
      let suspects = taken;
      if (refusal(suspects) === undefined) return undefined;
      while (suspects.length > 1) {
        const half = suspects.slice(0, Math.ceil(suspects.length / 2));
        suspects = refusal(half) === undefined ? suspects.slice(half.length) : half;
      }
      return assert.fail(
        `Envoy refuses ${JSON.stringify(suspects[0]?.one)}:\n${refusal(suspects) ?? 'only beside others'}\nGATEHOUSE_SEED=${SEED}`,
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

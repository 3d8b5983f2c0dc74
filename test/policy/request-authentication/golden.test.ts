import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromBinary, toJson } from '@bufbuild/protobuf';
import { parse, stringify } from 'yaml';
import { HeaderMutationSchema } from '#gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js';
import { JwtAuthenticationSchema } from '#gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js';
import { parseJsonWebKeys } from '../../../mesh/model/json-web-keys.ts';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import { type KnownKeys, locationOf } from '../../../policy/jwks/known.ts';
import { jwtAuthentication, outputHeaders } from '../../../policy/request-authentication/filter.ts';

const FOLDER = fileURLToPath(new URL('../../golden/request-authentication/', import.meta.url));
const WORKLOAD = { namespace: 'shop', labels: { app: 'web' } };

function known(): KnownKeys {
  const read = parseJsonWebKeys('{"keys":[{"kty":"RSA","kid":"1","n":"abc","e":"AQAB"}]}');
  assert.ok(read.ok);
  return new Map([[locationOf({ kind: 'uri', uri: 'https://known.example/keys', timeoutMs: 5000 }), read.value.keys]]);
}

function compiled(folder: string): object {
  const { snapshot, diagnostics } = loadMesh({ paths: [join(folder, 'in.yaml')], meshConfigFile: undefined });
  const headers = outputHeaders(snapshot, WORKLOAD);
  const tokens = jwtAuthentication(snapshot, WORKLOAD, known());
  return {
    diagnostics: diagnostics.map(({ severity, object, code, message }) => ({ severity, object, code, message })),
    headers: headers === undefined ? null : toJson(HeaderMutationSchema, fromBinary(HeaderMutationSchema, headers.value)),
    tokens: tokens === undefined ? null : toJson(JwtAuthenticationSchema, fromBinary(JwtAuthenticationSchema, tokens.value)),
  };
}

// The workload is shop/web, with the label app: web. UPDATE_GOLDEN=1 rewrites out.yaml.
describe('RequestAuthentication, golden files', () => {
  for (const name of readdirSync(FOLDER)) {
    it(name, () => {
      const folder = join(FOLDER, name);
      const files = readdirSync(folder).filter((file) => file !== 'out.yaml');
      assert.deepEqual(files, ['in.yaml'], 'files that belong to no test');
      const out = join(folder, 'out.yaml');
      const found = compiled(folder);
      if (process.env['UPDATE_GOLDEN'] === '1')
        writeFileSync(out, stringify(found, { lineWidth: 130, aliasDuplicateObjects: false }));
      assert.ok(existsSync(out), 'no out.yaml: run with UPDATE_GOLDEN=1');
      assert.deepEqual(parse(stringify(found)), parse(readFileSync(out, 'utf8')));
    });
  }

  it('make one message for all workloads and snapshots under the same objects and keys', () => {
    const keys = known();
    const first = loadMesh({ paths: [join(FOLDER, 'several-issuers', 'in.yaml')], meshConfigFile: undefined }).snapshot;
    const later = { ...first, number: first.number + 1, workloads: [] };
    const other = { namespace: 'shop', labels: { app: 'other' } };
    const made = jwtAuthentication(first, WORKLOAD, keys);
    assert.ok(made !== undefined);
    assert.equal(jwtAuthentication(later, other, keys), made);
    assert.notEqual(jwtAuthentication(first, { ...other, namespace: 'test' }, keys), made);
    assert.notEqual(jwtAuthentication(first, WORKLOAD, new Map(keys)), made);
  });
});

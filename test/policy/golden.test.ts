import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toJson } from '@bufbuild/protobuf';
import { parse, stringify } from 'yaml';
import { FilterSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import { HttpFilterSchema } from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { loadMesh } from '../../mesh/source/mesh.ts';
import { httpAuthorization } from '../../policy/compile/authorization.ts';
import { tcpAuthorization } from '../../policy/compile/tcp-authorization.ts';
import { registry } from './differential/listeners.ts';

const FOLDER = fileURLToPath(new URL('../golden/policy/', import.meta.url));
const WORKLOAD = { namespace: 'shop', labels: { app: 'web' } };
const KNOWN = ['in.yaml', 'mesh.yaml', 'out.yaml'];

function compiled(folder: string): object {
  const meshConfig = join(folder, 'mesh.yaml');
  const { snapshot, diagnostics } = loadMesh({
    paths: [join(folder, 'in.yaml')],
    meshConfigFile: existsSync(meshConfig) ? meshConfig : undefined,
  });
  return {
    diagnostics: diagnostics.map(({ severity, object, code, message }) => ({
      severity,
      object,
      code,
      message,
    })),
    http: httpAuthorization(snapshot, WORKLOAD).map((filter) => toJson(HttpFilterSchema, filter, { registry })),
    tcp: tcpAuthorization(snapshot, WORKLOAD).map((filter) => toJson(FilterSchema, filter, { registry })),
  };
}

// The workload is shop/web, with the label app: web. UPDATE_GOLDEN=1 rewrites out.yaml.
describe('policy, golden files', () => {
  for (const name of readdirSync(FOLDER)) {
    it(name, () => {
      const folder = join(FOLDER, name);
      const files = readdirSync(folder);
      assert.deepEqual(
        files.filter((file) => !KNOWN.includes(file)),
        [],
        'files that belong to no test',
      );
      assert.ok(files.includes('in.yaml'), 'out.yaml without in.yaml');
      const out = join(folder, 'out.yaml');
      const found = compiled(folder);
      if (process.env['UPDATE_GOLDEN'] === '1')
        writeFileSync(out, stringify(found, { lineWidth: 130, aliasDuplicateObjects: false }));
      assert.ok(existsSync(out), 'no out.yaml: run with UPDATE_GOLDEN=1');
      assert.deepEqual(parse(stringify(found)), parse(readFileSync(out, 'utf8')));
    });
  }
});

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DescMessage, type MessageShape, toJson } from '@bufbuild/protobuf';
import { stringify } from 'yaml';
import { ClusterSchema } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { ClusterLoadAssignmentSchema } from '#gen/envoy/config/endpoint/v3/endpoint_pb.js';
import { ListenerSchema } from '#gen/envoy/config/listener/v3/listener_pb.js';
import { RouteConfigurationSchema } from '#gen/envoy/config/route/v3/route_pb.js';
import type { CompiledProxy } from '../../routing/compile.ts';
import { EXTENSIONS } from '../../routing/wire/registry.ts';
import { compiledFor, snapshotOf } from './compiled.ts';

const FOLDER = fileURLToPath(new URL('../golden/routing/', import.meta.url));

function json<Desc extends DescMessage>(schema: Desc, messages: readonly MessageShape<Desc>[]) {
  return messages.map((message) => toJson(schema, message, { registry: EXTENSIONS }));
}

const PARTS = {
  listeners: (compiled: CompiledProxy) => json(ListenerSchema, compiled.listeners),
  routes: (compiled: CompiledProxy) => json(RouteConfigurationSchema, compiled.routes),
  clusters: (compiled: CompiledProxy) => json(ClusterSchema, compiled.clusters),
  endpoints: (compiled: CompiledProxy) => json(ClusterLoadAssignmentSchema, compiled.endpoints),
};

function isPart(name: string): name is keyof typeof PARTS {
  return name in PARTS;
}

/** The words after `# KEY:` at the head of a case. */
function setting(yaml: string, key: string): readonly string[] {
  const line = new RegExp(`^# ${key}:(.*)$`, 'm').exec(yaml)?.[1] ?? '';
  return line.split(/[\s,]+/).filter((word) => word !== '');
}

export function goldenCases(): readonly { readonly name: string; readonly yaml: string; readonly proxies: readonly string[] }[] {
  return readdirSync(FOLDER)
    .sort()
    .map((name) => {
      const yaml = readFileSync(join(FOLDER, name, 'in.yaml'), 'utf8');
      return { name, yaml, proxies: setting(yaml, 'proxies') };
    });
}

function output(yaml: string): string {
  const snapshot = snapshotOf(yaml);
  const parts = setting(yaml, 'show').filter(isPart);
  const shown = setting(yaml, 'proxies').map((name) => {
    const compiled = compiledFor(snapshot, name);
    return [name, Object.fromEntries(parts.map((part) => [part, PARTS[part](compiled)]))];
  });
  return stringify(Object.fromEntries(shown), { lineWidth: 0, aliasDuplicateObjects: false });
}

describe('golden files of routing', () => {
  for (const { name, yaml, proxies } of goldenCases()) {
    it(name, () => {
      assert.ok(proxies.length > 0, 'a case names its proxies: # proxies: NAMESPACE/WORKLOAD');
      const text = output(yaml);
      const file = join(FOLDER, name, 'out.yaml');
      if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, text);
      assert.equal(text, existsSync(file) ? readFileSync(file, 'utf8') : '', `${name} differs; UPDATE_GOLDEN=1 rewrites it`);
      assert.equal(output(yaml), text, 'the same input gives the same output');
    });
  }

  it('has nothing but in.yaml and out.yaml in a case', () => {
    for (const { name } of goldenCases()) assert.deepEqual(readdirSync(join(FOLDER, name)).sort(), ['in.yaml', 'out.yaml'], name);
  });
});

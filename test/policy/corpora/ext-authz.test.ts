// The filters that ask an authorizer, as Istio makes them, field by field.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DescMessage, fromJson, type JsonObject, type JsonValue, toJson } from '@bufbuild/protobuf';
import { type Any, anyIs, anyUnpack } from '@bufbuild/protobuf/wkt';
import { parse, stringify } from 'yaml';
import { ExtAuthzSchema } from '#gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js';
import { ExtAuthzSchema as TcpExtAuthzSchema } from '#gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.js';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import { inboundSecurity } from '../../../xds/resources/security.ts';
import { proxyOf } from '../../routing/compiled.ts';
import { casesOf, corpusPath } from './corpus.ts';

interface Golden {
  readonly id: string;
  readonly layer: 'http' | 'tcp';
  readonly policies: string;
  readonly want: readonly string[];
  readonly options: { readonly isCustomBuilder: boolean; readonly meshConfig: object | null };
}

const WORKLOAD = [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'my-custom-ext-authz', namespace: 'foo' },
    spec: { ports: [{ name: 'grpc', port: 9000 }] },
  },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'workload', namespace: 'foo', labels: { app: 'httpbin', version: 'v1' } },
    spec: { containers: [{ name: 'app' }] },
    status: { podIP: '127.200.0.3' },
  },
];

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Without where the marks are: their key is ours to choose. */
function comparable(config: JsonValue): JsonValue {
  if (!isObject(config)) return config;
  const { filterEnabledMetadata, ...rest } = config;
  assert.ok(isObject(filterEnabledMetadata));
  return { ...rest, marks: filterEnabledMetadata['filter'] ?? null };
}

function read(schema: DescMessage, values: readonly (Any | undefined)[]): readonly JsonValue[] {
  return values.flatMap((value) => {
    const found = value !== undefined && anyIs(value, schema) ? anyUnpack(value, schema) : undefined;
    return found === undefined ? [] : [comparable(toJson(schema, found))];
  });
}

describe('policy, corpus: how authorizers are asked', () => {
  const path = corpusPath('authz-golden');
  const cases = casesOf<Golden>('authz-golden').filter(({ options }) => options.isCustomBuilder);
  if (path === undefined || cases.length === 0) {
    it('of filters that Istio makes', function () {
      this.skip();
    });
    return;
  }
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-ext-authz-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const { id, layer, policies, want, options } of cases) {
    it(id, () => {
      const own = join(folder, 'workload.yaml');
      writeFileSync(own, WORKLOAD.map((one) => stringify(one)).join('---\n'));
      const meshConfigFile = join(folder, 'mesh.yaml');
      writeFileSync(meshConfigFile, stringify(options.meshConfig));
      const { snapshot } = loadMesh({ paths: [join(path, policies), own], meshConfigFile });
      const security = inboundSecurity(snapshot, proxyOf(snapshot, 'foo/workload').workload);
      const schema = layer === 'http' ? ExtAuthzSchema : TcpExtAuthzSchema;
      const filters = layer === 'http' ? security.httpFilters() : security.networkFilters();
      const ours = read(
        schema,
        filters.map(({ configType }) => (configType.case === 'typedConfig' ? configType.value : undefined)),
      );
      const istios = want.flatMap((file) => {
        const filter: unknown = parse(readFileSync(join(path, file), 'utf8'));
        const config = isObject(filter) ? filter['typedConfig'] : undefined;
        if (!isObject(config) || config['@type'] !== `type.googleapis.com/${schema.typeName}`) return [];
        const { '@type': _, ...fields } = config;
        return [comparable(toJson(schema, fromJson(schema, fields)))];
      });
      assert.deepEqual(ours, istios);
    });
  }
});

// Rows of Istio's unit tables, read as objects of ours: meaning is compared, not Istio's own messages.
import assert from 'node:assert/strict';
import { stringify } from 'yaml';
import { parseHostname, type Hostname } from '../../mesh/model/hostname.ts';
import type { Meta } from '../../mesh/model/object.ts';
import { parsePort } from '../../mesh/model/port.ts';
import type { Service, ServicePort, Visibility } from '../../mesh/model/service.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { judged } from '../policy/corpora/judged.ts';
import { casesOf } from '../policy/corpora/corpus.ts';
import { snapshotOf } from './compiled.ts';

export const THEME = 'routing-units';

interface Case<Row> {
  readonly id: string;
  readonly table: string;
  readonly row: Row;
}

/** Ids of the rows that some test of this process runs. */
export const RUN = new Set<string>();

/** One judged test for each row of a table. */
export function table<Row>(name: string, decide: (row: Row, id: string) => void, only: (row: Row) => boolean = () => true): void {
  describe(`corpus: ${name}`, () => {
    const rows = casesOf<Case<Row>>(THEME).filter((one) => one.table === name && only(one.row));
    if (rows.length === 0) {
      it('has rows', function () {
        this.skip();
      });
    }
    for (const { id, row } of rows) {
      RUN.add(id);
      judged(THEME, id, () => {
        decide(row, id);
      });
    }
  });
}

export function hostOf(text: string): Hostname {
  const host = parseHostname(text);
  assert.ok(host !== undefined, `no host: ${text}`);
  return host;
}

/** An object of a row; those that Istio's tests make by hand lack their kind. */
export interface Written {
  readonly apiVersion?: string;
  readonly kind?: string | null;
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly labels?: object;
    readonly creationTimestamp?: string;
  };
  readonly spec?: object;
}

export function yamlOf(kind: string, { metadata, spec }: Written, namespace = 'default'): string {
  const { name = 'one', ...rest } = metadata ?? {};
  return `---\n${stringify({ apiVersion: 'networking.istio.io/v1', kind, metadata: { namespace, ...rest, name: name.toLowerCase() }, spec: spec ?? {} })}`;
}

/** Istio's own form of a service. */
export interface IstioService {
  readonly Hostname?: string;
  readonly DefaultAddress?: string;
  readonly Ports?: readonly { readonly Name?: string; readonly Port: number; readonly Protocol?: string }[];
  readonly Resolution?: string;
  readonly MeshExternal?: boolean;
  readonly Attributes?: {
    readonly Namespace?: string;
    readonly ServiceRegistry?: string;
    readonly ExportTo?: Readonly<Record<string, object>>;
    readonly LabelSelectors?: Readonly<Record<string, string>>;
  };
}

const PROTOCOLS: Readonly<Record<string, ServicePort['protocol']>> = {
  HTTP: 'http',
  HTTP2: 'http2',
  GRPC: 'grpc',
  HTTPS: 'https',
  TLS: 'tls',
  TCP: 'tcp',
};

export function metaOf(kind: Meta['kind'], namespace: string, name: string): Meta {
  const origin = { file: 'rows', line: 1 };
  return { kind, apiVersion: 'v1', namespace, name, labels: {}, annotations: {}, createdAt: undefined, origin };
}

function exported(to: Readonly<Record<string, object>> | undefined, home: string): Visibility {
  const names = Object.keys(to ?? { '*': {} });
  if (names.includes('*')) return { kind: 'all' };
  return { kind: 'namespaces', namespaces: names.filter((name) => name !== '~').map((name) => (name === '.' ? home : name)) };
}

export function serviceOf(one: IstioService, at = 0): Service {
  const home = one.Attributes?.Namespace ?? '';
  const kubernetes = one.Attributes?.ServiceRegistry === 'Kubernetes';
  const address = one.DefaultAddress ?? '';
  return {
    meta: metaOf(kubernetes ? 'Service' : 'ServiceEntry', home, `row-${at}`),
    hostname: hostOf(one.Hostname ?? 'unnamed'),
    addresses: address === '' || address === '0.0.0.0' ? [] : [address],
    ports: (one.Ports ?? []).map(({ Name = '', Port, Protocol = '' }) => {
      const port = parsePort(Port);
      assert.ok(port !== undefined);
      return { name: Name, port, targetPort: port, protocol: PROTOCOLS[Protocol.toUpperCase()] ?? 'unknown' };
    }),
    selector: one.Attributes?.LabelSelectors,
    resolution: one.Resolution === undefined ? 'endpoints' : one.Resolution === 'Passthrough' ? 'none' : 'dns',
    external: one.MeshExternal ?? false,
    endpoints: [],
    exportTo: exported(one.Attributes?.ExportTo, home),
  };
}

/** A snapshot of YAML with these services in place of its own, in their order. */
export function withServices(
  yaml: string,
  services: readonly Service[],
  config: Parameters<typeof snapshotOf>[1] = {},
): Snapshot {
  const base = snapshotOf(yaml, config);
  return { ...base, services: [...services, ...base.services] };
}

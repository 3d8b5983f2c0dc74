import assert from 'node:assert/strict';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { parseAllDocuments, stringify } from 'yaml';
import type { FilterChain } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import type { Listener } from '#gen/envoy/config/listener/v3/listener_pb.js';
import { HttpConnectionManagerSchema } from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { TcpProxySchema } from '#gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import { compiledFor, snapshotOf } from './compiled.ts';
import { corpusCases, corpusFile } from './corpora.ts';

type Protocol = 'http' | 'http2' | 'tcp';
type Tls = 'plaintext' | 'tls' | 'mtls';

interface SimulatedCall {
  readonly name: string;
  readonly call: { readonly port: number; readonly protocol: Protocol; readonly tls?: Tls; readonly alpn?: string };
  readonly want: { readonly clusterMatched?: string; readonly error?: string };
}

interface Case {
  readonly id: string;
  readonly config?: string;
  readonly calls: readonly SimulatedCall[];
}

const MTLS_ALPN = { http: 'istio-http/1.1', http2: 'istio-h2', tcp: 'istio' } as const;
const TLS_ALPN = { http: 'http/1.1', http2: 'h2', tcp: undefined } as const;
const SNIFFED = { http: 'http/1.1', http2: 'h2c', tcp: undefined } as const;

/** What listener filters tell of a connection. */
function offered(listener: Listener, { protocol, tls = 'plaintext', alpn }: SimulatedCall['call']): string | undefined {
  if (tls !== 'plaintext') return alpn ?? (tls === 'mtls' ? MTLS_ALPN[protocol] : TLS_ALPN[protocol]);
  return listener.listenerFilters.some(({ name }) => name === 'envoy.filters.listener.http_inspector')
    ? SNIFFED[protocol]
    : undefined;
}

/** Of the chains those that name the value, or else those that name none: Envoy never goes back to the others. */
function narrow(
  chains: readonly FilterChain[],
  names: (chain: FilterChain) => readonly unknown[],
  value: unknown,
): readonly FilterChain[] {
  const exact = chains.filter((chain) => names(chain).includes(value));
  return exact.length > 0 ? exact : chains.filter((chain) => names(chain).length === 0);
}

/** As Envoy chooses: by port, then transport, then application protocol. */
function chainFor(listener: Listener, call: SimulatedCall['call']): FilterChain | undefined {
  const one = <T>(value: T | undefined | '') => (value === undefined || value === '' ? [] : [value]);
  const byPort = narrow(listener.filterChains, (chain) => one(chain.filterChainMatch?.destinationPort), call.port);
  const transport = call.tls === undefined || call.tls === 'plaintext' ? 'raw_buffer' : 'tls';
  const byTransport = narrow(byPort, (chain) => one(chain.filterChainMatch?.transportProtocol), transport);
  const found = narrow(byTransport, (chain) => chain.filterChainMatch?.applicationProtocols ?? [], offered(listener, call));
  assert.ok(found.length <= 1, `several chains: ${found.map(({ name }) => name).join(', ')}`);
  return found[0];
}

function outcome(listener: Listener, call: SimulatedCall['call']): SimulatedCall['want'] {
  const chain = chainFor(listener, call);
  if (chain === undefined) return { error: 'no filter chains matched' };
  const last = chain.filters.at(-1)?.configType;
  assert.ok(last?.case === 'typedConfig');
  if (chain.transportSocket !== undefined && call.tls === 'tls') return { error: 'invalid mTLS' };
  const manager = anyUnpack(last.value, HttpConnectionManagerSchema);
  if (manager === undefined) {
    const to = anyUnpack(last.value, TcpProxySchema)?.clusterSpecifier;
    return to?.case === 'cluster' ? { clusterMatched: to.value } : {};
  }
  const encrypted = call.tls !== undefined && call.tls !== 'plaintext' && chain.transportSocket === undefined;
  if (encrypted || call.protocol === 'tcp') return { error: 'protocol error' };
  assert.ok(manager.routeSpecifier.case === 'routeConfig');
  const action = manager.routeSpecifier.value.virtualHosts[0]?.routes[0]?.action;
  const to = action?.case === 'route' ? action.value.clusterSpecifier : undefined;
  return to?.case === 'cluster' ? { clusterMatched: to.value } : {};
}

/** TLS to a plain HTTP port finds no chain here and one that cannot read it in Istio: refused either way. */
function plainly({ clusterMatched, error }: SimulatedCall['want']): string | undefined {
  return error === 'protocol error' || error === 'no filter chains matched' ? 'refused' : (error ?? clusterMatched);
}

interface Document {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: { readonly ports?: readonly { readonly name: string; readonly number: number; readonly protocol?: string }[] };
}

/** The cases put the proxy behind a ServiceEntry by its address; here a Service selects it. */
function withService(yaml: string): string {
  const objects = parseAllDocuments(yaml).map((document) => document.toJS() as Document | null);
  const changed = objects
    .filter((object) => object !== null)
    .map((object) => {
      if (object.kind !== 'ServiceEntry') return object;
      const ports = (object.spec.ports ?? []).map(({ name, number, protocol }) => ({
        name,
        port: number,
        ...(protocol === undefined ? {} : { appProtocol: protocol.toLowerCase() }),
      }));
      return { apiVersion: 'v1', kind: 'Service', metadata: object.metadata, spec: { selector: { app: 'foo' }, ports } };
    });
  const proxy = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'the-proxy' },
    spec: { template: { metadata: { labels: { app: 'foo' } }, spec: { containers: [{ name: 'app' }] } } },
  };
  return [...changed, proxy].map((object) => stringify(object)).join('---\n');
}

const WANTED = /^(inbound|peerauthenticationpassthrough|peerauthenticationwithsidecar)__/;

describe('corpus: connections into a sidecar', () => {
  const cases = (corpusCases('traffic-simulation') as readonly Case[]).filter(({ id }) => WANTED.test(id));
  it('has cases', function () {
    if (cases.length === 0) this.skip();
  });
  for (const one of cases) {
    const yaml = one.config === undefined ? '' : (corpusFile('traffic-simulation', one.config) ?? '');
    it(one.id, function () {
      const { listeners } = compiledFor(snapshotOf(withService(yaml)), 'default/the-proxy');
      const inbound = listeners.find(({ name }) => name === 'virtualInbound');
      assert.ok(inbound !== undefined);
      for (const { name, call, want } of one.calls) {
        assert.deepEqual(plainly(outcome(inbound, call)), plainly(want), name);
      }
    });
  }
});

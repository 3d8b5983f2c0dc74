// Generates gen/ from the .proto files that a development dependency ships and from our own in setup/proto. Only the
// closure of what we use is generated. gen/ is ignored by git: nothing of third parties is committed.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { must, progress, root } from './toolchain.mjs';

const DEPS = join(root, 'node_modules', '@grpc', 'grpc-js-xds', 'deps');
const SOURCES = [
  ...['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate'].map((name) => join(DEPS, name)),
  join(root, 'setup', 'proto'),
];

const ENVOY = [
  'service/discovery/v3/ads',
  'service/discovery/v3/discovery',
  'service/secret/v3/sds',
  'service/accesslog/v3/als',
  'service/auth/v3/external_auth',
  'config/bootstrap/v3/bootstrap',
  'config/listener/v3/listener',
  'config/route/v3/route',
  'config/cluster/v3/cluster',
  'config/endpoint/v3/endpoint',
  'config/trace/v3/opentelemetry',
  'extensions/filters/network/http_connection_manager/v3/http_connection_manager',
  'extensions/filters/network/tcp_proxy/v3/tcp_proxy',
  'extensions/filters/network/rbac/v3/rbac',
  'extensions/filters/network/ext_authz/v3/ext_authz',
  'extensions/filters/network/sni_cluster/v3/sni_cluster',
  'extensions/filters/http/rbac/v3/rbac',
  'extensions/filters/http/router/v3/router',
  'extensions/filters/http/fault/v3/fault',
  'extensions/filters/http/cors/v3/cors',
  'extensions/filters/http/jwt_authn/v3/config',
  'extensions/filters/http/header_mutation/v3/header_mutation',
  'extensions/filters/http/on_demand/v3/on_demand',
  'extensions/filters/http/ext_authz/v3/ext_authz',
  'extensions/filters/http/grpc_stats/v3/config',
  'extensions/filters/http/set_filter_state/v3/set_filter_state',
  'extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy',
  'extensions/filters/http/stateful_session/v3/stateful_session',
  'extensions/http/stateful_session/cookie/v3/cookie',
  'extensions/http/stateful_session/header/v3/header',
  'extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy',
  'extensions/clusters/dynamic_forward_proxy/v3/cluster',
  'extensions/filters/listener/original_dst/v3/original_dst',
  'extensions/filters/listener/proxy_protocol/v3/proxy_protocol',
  'extensions/filters/listener/tls_inspector/v3/tls_inspector',
  'extensions/filters/listener/http_inspector/v3/http_inspector',
  'extensions/transport_sockets/tls/v3/tls',
  'extensions/transport_sockets/tls/v3/tls_spiffe_validator_config',
  'extensions/transport_sockets/raw_buffer/v3/raw_buffer',
  'extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol',
  'extensions/access_loggers/file/v3/file',
  'extensions/access_loggers/filters/cel/v3/cel',
  'extensions/access_loggers/stream/v3/stream',
  'extensions/retry/host/previous_hosts/v3/previous_hosts',
  'extensions/retry/priority/previous_priorities/v3/previous_priorities_config',
  'extensions/matching/common_inputs/network/v3/network_inputs',
  'extensions/request_id/uuid/v3/uuid',
  'type/matcher/v3/http_inputs',
];

const OWN = [
  'ca/v1/istio_ca',
  'ca/v1/jwt',
  'ca/v1/replicas',
  'csi/v1/csi',
  'csi/v1/registration',
  'envoy/v3/grpc_access_log',
  'envoy/v3/http_protocol_options',
  'envoy/v3/local_rate_limit',
  'envoy/v3/network_set_filter_state',
  'envoy/v3/open_telemetry_log',
  'envoy/v3/zipkin',
  'log/v1/relay',
  'names/v1/names',
  'workload/v1/spiffe_workload_api',
];

const ROOTS = [...ENVOY.map((name) => `envoy/${name}.proto`), ...OWN.map((name) => `gatehouse/${name}.proto`)];

function find(name) {
  for (const source of SOURCES) if (existsSync(join(source, name))) return join(source, name);
  return undefined;
}

/** The roots and all that they import, save google/protobuf, which the runtime library has. */
function closure() {
  const seen = new Set();
  const todo = [...ROOTS];
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    if (seen.has(name) || name.startsWith('google/protobuf/')) continue;
    const file = find(name);
    if (!file) {
      if (ROOTS.includes(name)) progress(`proto ${name} is not in the dependency; left out`);
      continue;
    }
    seen.add(name);
    for (const found of readFileSync(file, 'utf8').matchAll(/^import\s+(?:public\s+)?"([^"]+)"/gm)) todo.push(found[1]);
  }
  return [...seen].sort();
}

export function generate(env) {
  const names = closure();
  const hash = createHash('sha256').update(readFileSync(new URL(import.meta.url)));
  for (const name of names) hash.update(name).update(readFileSync(find(name)));
  const want = hash.digest('hex');
  const out = join(root, 'gen');
  const stamp = join(out, '.stamp');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === want) return;
  progress(`generating code from ${names.length} proto files`);
  rmSync(out, { recursive: true, force: true });
  const staged = join(root, '.tools', 'proto');
  rmSync(staged, { recursive: true, force: true });
  for (const name of names) {
    const to = join(staged, name);
    mkdirSync(dirname(to), { recursive: true });
    cpSync(find(name), to);
    // The bundled validate.proto is older than the Envoy tree beside it and lacks this option.
    writeFileSync(
      to,
      readFileSync(to, 'utf8')
        .replace(/,?\s*ignore_empty:\s*true/g, '')
        .replace(/\{\s*,/g, '{'),
    );
  }
  writeFileSync(join(staged, 'buf.yaml'), 'version: v2\nmodules:\n  - path: .\n');
  const plugin = {
    local: join(root, 'node_modules', '.bin', 'protoc-gen-es'),
    out,
    opt: ['target=js+dts', 'import_extension=js'],
    strategy: 'all',
  };
  writeFileSync(join(staged, 'buf.gen.yaml'), JSON.stringify({ version: 'v2', plugins: [plugin] }));
  must(
    join(root, 'node_modules', '.bin', 'buf'),
    ['generate', staged, '--template', join(staged, 'buf.gen.yaml')],
    'buf generate',
    { env },
  );
  writeFileSync(stamp, want);
}

import { create } from '@bufbuild/protobuf';
import { type StatsConfig, StatsConfigSchema } from '#gen/envoy/config/metrics/v3/stats_pb.js';

/** Envoy's own tags that are worth their cost; given by name, they keep Envoy's own expression. */
const ENVOY_TAGS = [
  'envoy.response_code',
  'envoy.response_code_class',
  'envoy.http_conn_manager_prefix',
  'envoy.listener_address',
  'envoy.tcp_prefix',
  'envoy.ssl_cipher',
];

/** Names with dots of their own (`outbound|80||a.b.svc.cluster.local`), which Envoy's expression would cut at the first. */
const CLUSTER_NAME = String.raw`^cluster\.((.+?(\..+?\.svc\.cluster\.local)?)\.)`;

export function stats(): StatsConfig {
  return create(StatsConfigSchema, {
    useAllDefaultTags: false,
    statsTags: [
      { tagName: 'cluster_name', tagValue: { case: 'regex', value: CLUSTER_NAME } },
      { tagName: 'authz_enforce_result', tagValue: { case: 'regex', value: String.raw`rbac(\.(allowed|denied))` } },
      { tagName: 'authz_dry_run_result', tagValue: { case: 'regex', value: String.raw`(\.shadow_(allowed|denied))` } },
      ...ENVOY_TAGS.map((tagName) => ({ tagName })),
    ],
  });
}

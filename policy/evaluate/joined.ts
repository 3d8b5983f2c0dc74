import type { PolicyMatch } from '../../mesh/model/authorization-policy.ts';

/** Headers of which a proxy keeps one line: several become one, with commas between them. */
export const KEPT_AS_ONE: ReadonlySet<string> = new Set(
  [
    'accept accept-encoding authorization cache-control content-encoding content-type expect origin pragma referer user-agent via',
    'access-control-request-headers access-control-request-method access-control-request-private-network',
    'grpc-accept-encoding grpc-timeout if-match if-modified-since if-none-match if-range if-unmodified-since',
    'x-client-trace-id x-request-id x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto',
    'x-envoy-attempt-count x-envoy-decorator-operation x-envoy-downstream-service-cluster x-envoy-downstream-service-node',
    'x-envoy-external-address x-envoy-original-host x-envoy-original-path',
  ].flatMap((line) => line.split(' ')),
);

const AT_START = /(?:^|,)[ \t]*$/;
const AT_END = /^[ \t]*(?:,|$)/;

/** True when what the value says, or begins or ends with, stands in the text as a part of its own between commas. */
export function isPartOf(value: PolicyMatch, text: string): boolean {
  if (value.kind === 'present' || value.value === '') return false;
  for (let at = text.indexOf(value.value); at >= 0; at = text.indexOf(value.value, at + 1)) {
    const starts = value.kind === 'suffix' || AT_START.test(text.slice(0, at));
    const ends = value.kind === 'prefix' || AT_END.test(text.slice(at + value.value.length));
    if (starts && ends) return true;
  }
  return false;
}

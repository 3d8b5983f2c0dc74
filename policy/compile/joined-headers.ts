import type { PolicyMatch } from '../../mesh/model/authorization-policy.ts';
import { escapeRegex } from './regex.ts';
import type { Text } from './test.ts';

/**
 * Headers of which Envoy keeps one line only: several lines become one text with commas between them (the inline headers of its
 * extensions and of its own), so that a second line would hide what a policy looks for. A test asks Envoy for each of them.
 */
const JOINED: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'access-control-request-headers',
  'access-control-request-method',
  'access-control-request-private-network',
  'authorization',
  'cache-control',
  'content-encoding',
  'content-type',
  'expect',
  'grpc-accept-encoding',
  'grpc-timeout',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'origin',
  'pragma',
  'referer',
  'user-agent',
  'via',
  'x-client-trace-id',
  'x-envoy-attempt-count',
  'x-envoy-decorator-operation',
  'x-envoy-downstream-service-cluster',
  'x-envoy-downstream-service-node',
  'x-envoy-external-address',
  'x-envoy-original-host',
  'x-envoy-original-path',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-request-id',
]);

const BEFORE = '(?:.*,)?[ \\t]*';
const AFTER = '[ \\t]*(?:,.*)?';

/** One of the texts between commas has the value; undefined for a header whose lines stay apart, and where it would say no more. */
export function asListed(name: string, value: PolicyMatch): Text | undefined {
  if (!JOINED.has(name) || value.kind === 'present' || value.value === '') return undefined;
  const text = escapeRegex(value.value);
  switch (value.kind) {
    case 'exact':
    case 'template':
      return { kind: 'regex', value: `(?s)${BEFORE}${text}${AFTER}` };
    case 'prefix':
      return { kind: 'regex', value: `(?s)${BEFORE}${text}.*` };
    case 'suffix':
      return { kind: 'regex', value: `(?s).*${text}${AFTER}` };
    default:
      return value satisfies never;
  }
}

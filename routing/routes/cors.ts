import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { CorsPolicySchema } from '#gen/envoy/extensions/filters/http/cors/v3/cors_pb.js';
import type { Cors, StringMatch } from '../../mesh/model/virtual-service.ts';

export const CORS_FILTER = 'envoy.filters.http.cors';

function origin(match: StringMatch) {
  switch (match.kind) {
    case 'exact':
      // Envoy itself reads an exact `*` as any origin.
      return { case: 'exact' as const, value: match.value };
    case 'prefix':
      return { case: 'prefix' as const, value: match.value };
    case 'regex':
      return { case: 'safeRegex' as const, value: { regex: match.value } };
    default:
      return match satisfies never;
  }
}

/** A route's own CORS policy; the filter in the chain has none and so does nothing elsewhere. */
export function corsOf(cors: Cors): Any {
  return anyPack(
    CorsPolicySchema,
    create(CorsPolicySchema, {
      allowOriginStringMatch: cors.allowOrigins.map((match) => ({ matchPattern: origin(match) })),
      allowMethods: cors.allowMethods.join(','),
      allowHeaders: cors.allowHeaders.join(','),
      exposeHeaders: cors.exposeHeaders.join(','),
      ...(cors.maxAgeMs === undefined ? {} : { maxAge: String(Math.floor(cors.maxAgeMs / 1000)) }),
      ...(cors.allowCredentials === undefined ? {} : { allowCredentials: cors.allowCredentials }),
      ...(cors.forwardUnmatched === undefined ? {} : { forwardNotMatchingPreflights: cors.forwardUnmatched }),
      filterEnabled: { defaultValue: { numerator: 100 } },
    }),
  );
}

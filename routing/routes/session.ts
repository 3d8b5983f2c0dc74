import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import {
  StatefulSessionPerRouteSchema,
  StatefulSessionSchema,
} from '#gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.js';
import { CookieBasedSessionStateSchema } from '#gen/envoy/extensions/http/stateful_session/cookie/v3/cookie_pb.js';
import { HeaderBasedSessionStateSchema } from '#gen/envoy/extensions/http/stateful_session/header/v3/header_pb.js';
import type { Session } from '../../mesh/model/virtual-service.ts';
import { duration } from '../wire/duration.ts';

export const SESSION_FILTER = 'envoy.filters.http.stateful_session';

/** Keeps no sessions itself; routes do. */
export function noSessions(): Any {
  return anyPack(StatefulSessionSchema, create(StatefulSessionSchema, {}));
}

function stateOf(session: Session): { readonly name: string; readonly typedConfig: Any } {
  switch (session.kind) {
    case 'cookie': {
      const { name, path, ttlMs } = session;
      const cookie = { name, path, ttl: duration(ttlMs ?? 0) };
      return {
        name: 'envoy.http.stateful_session.cookie',
        typedConfig: anyPack(CookieBasedSessionStateSchema, create(CookieBasedSessionStateSchema, { cookie })),
      };
    }
    case 'header':
      return {
        name: 'envoy.http.stateful_session.header',
        typedConfig: anyPack(HeaderBasedSessionStateSchema, create(HeaderBasedSessionStateSchema, { name: session.name })),
      };
    default:
      return session satisfies never;
  }
}

/** A server that is gone, or not well, is replaced by another one, to which the session belongs from then on. */
export function sessionOf(session: Session): Any {
  return anyPack(
    StatefulSessionPerRouteSchema,
    create(StatefulSessionPerRouteSchema, {
      override: { case: 'statefulSession', value: { sessionState: stateOf(session) } },
    }),
  );
}

import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { finding, quoted } from './finding.ts';
import { listsOf } from './fields.ts';
import type { Survey } from './survey.ts';

/** RFC 9110, section 9, PATCH (RFC 5789), and those of WebDAV (RFC 4918, RFC 3253, RFC 5323, RFC 3744) and caches. */
const METHODS: ReadonlySet<string> = new Set([
  ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'QUERY'],
  ...['COPY', 'LOCK', 'MKCOL', 'MOVE', 'PROPFIND', 'PROPPATCH', 'UNLOCK', 'SEARCH', 'ACL', 'REPORT', 'MKCALENDAR'],
  ...['BIND', 'UNBIND', 'REBIND', 'LINK', 'UNLINK', 'MERGE', 'CHECKOUT', 'CHECKIN', 'PURGE', 'BAN', 'PRI'],
]);

/** Methods that no client sends: they are compared with their case. */
export function unknownMethods({ policies }: Survey): readonly Diagnostic[] {
  return policies.flatMap((policy) =>
    listsOf(policy)
      .filter(({ attribute }) => attribute === 'methods')
      .flatMap((list) =>
        list.values.flatMap((value, at) => {
          if (value.includes('*') || METHODS.has(value)) return [];
          const upper = value.trim().toUpperCase();
          const effect = list.negated ? 'it excludes nothing' : 'it never matches';
          const [why, hint] = METHODS.has(upper)
            ? ['methods are compared with their case', `write ${quoted(upper)}`]
            : ['is no HTTP method', 'as GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS; methods of gRPC go into paths'];
          const message = METHODS.has(upper) ? `${quoted(value)}: ${why}; ${effect}` : `${quoted(value)} ${why}; ${effect}`;
          return [finding(policy.meta, `${list.path}[${at}]`, 'warning', 'unknown-method', message, hint)];
        }),
      ),
  );
}

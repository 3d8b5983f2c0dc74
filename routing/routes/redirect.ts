import { create } from '@bufbuild/protobuf';
import {
  type RedirectAction,
  RedirectAction_RedirectResponseCode,
  RedirectActionSchema,
} from '#gen/envoy/config/route/v3/route_components_pb.js';
import type { Port } from '../../mesh/model/port.ts';
import type { Redirect } from '../../mesh/model/virtual-service.ts';

const CODES: ReadonlyMap<number, RedirectAction_RedirectResponseCode> = new Map([
  [301, RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY],
  [302, RedirectAction_RedirectResponseCode.FOUND],
  [303, RedirectAction_RedirectResponseCode.SEE_OTHER],
  [307, RedirectAction_RedirectResponseCode.TEMPORARY_REDIRECT],
  [308, RedirectAction_RedirectResponseCode.PERMANENT_REDIRECT],
]);

/** Istio's marker at the start of a redirect's uri: replace only what the match's prefix matched. */
const PREFIX = '%PREFIX()%';

/** @returns undefined for a status that is no redirect */
export function redirectAction(redirect: Redirect, listenPort: Port): RedirectAction | undefined {
  const responseCode = CODES.get(redirect.code);
  if (responseCode === undefined) return undefined;
  const { uri, prefix } = redirect;
  const port = redirect.port === 'request' ? listenPort : redirect.port;
  return create(RedirectActionSchema, {
    responseCode,
    ...(redirect.authority === undefined ? {} : { hostRedirect: redirect.authority }),
    ...(redirect.scheme === undefined ? {} : { schemeRewriteSpecifier: { case: 'schemeRedirect', value: redirect.scheme } }),
    ...(port === undefined ? {} : { portRedirect: port }),
    ...(redirect.uriRegex === undefined
      ? {}
      : {
          pathRewriteSpecifier: {
            case: 'regexRewrite',
            value: { pattern: { regex: redirect.uriRegex.match }, substitution: redirect.uriRegex.rewrite },
          },
        }),
    ...(prefix === undefined ? {} : { pathRewriteSpecifier: { case: 'prefixRewrite', value: prefix } }),
    ...(uri === undefined
      ? {}
      : uri.startsWith(PREFIX)
        ? { pathRewriteSpecifier: { case: 'prefixRewrite', value: uri.slice(PREFIX.length) } }
        : { pathRewriteSpecifier: { case: 'pathRedirect', value: uri } }),
  });
}

import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { keyOf } from '../../mesh/model/object.ts';
import type { RequestAuthentication } from '../../mesh/model/request-authentication.ts';
import { describeLocation } from './known.ts';

/**
 * What a command has to say that fetches no keys: whose it does not know.
 * @param effect what follows from it there
 */
export function unknownKeys(policies: readonly RequestAuthentication[], effect: string): readonly Diagnostic[] {
  return policies.flatMap(({ meta, rules }) =>
    rules.flatMap(({ keys, issuer }, index): readonly Diagnostic[] => {
      if (keys.kind === 'inline') return [];
      const whose = issuer === undefined ? `at ${describeLocation(keys)}` : `of ${issuer} (${describeLocation(keys)})`;
      return [
        {
          ...meta.origin,
          object: `${meta.kind} ${keyOf(meta)}`,
          field: `spec.jwtRules[${index}]`,
          severity: 'warning',
          code: 'keys-not-known',
          message: `the keys ${whose} are not known here, since this command fetches nothing; ${effect}`,
          hint: 'the control plane fetches them; to have them here, give jwks in place of jwksUri',
        },
      ];
    }),
  );
}

import { CK } from './constants.ts';
import { inSession } from './session.ts';
import { keyOf, template } from './token.ts';
import type { Pkcs11Uri } from './uri.ts';

/** Destroys the one key pair of a URI in its token. @throws Error when there is not exactly one, or the token keeps it */
export function destroyInToken(uri: Pkcs11Uri): Promise<void> {
  return inSession(uri, (library, session) => {
    const { handle } = keyOf(library, session, uri);
    const id = library.attribute(session, handle, CK.CKA_ID);
    library.destroy(session, handle);
    for (const open of library.find(session, template(CK.CKO_PUBLIC_KEY, uri.object, id))) library.destroy(session, open);
  });
}

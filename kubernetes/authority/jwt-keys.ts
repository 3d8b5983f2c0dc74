import type { JwtKeyDocument } from '../../ca/jwt-svid/key-file.ts';
import type { ApiClient } from '../api/client.ts';
import { sharedSecretText } from './shared-text.ts';

/**
 * The keys of JWT-SVIDs in a Secret that all replicas share, so that what one signs verifies with the bundle of each. A key is published for
 * minutes before it signs, so that it is in every replica's bundle by then; while the API server is away no key is made, and the last signs on.
 */
export function sharedJwtKeys(client: ApiClient, namespace: string): JwtKeyDocument {
  return sharedSecretText(client, namespace, 'gatehouse-jwt-keys', 'jwt-keys.json', false);
}

import type { ApiClient } from '../api/client.ts';
import { type SharedSecretText, sharedSecretText } from './shared-text.ts';

/** The keys with which all replicas seal the page's sessions. Whoever deletes the Secret ends all sessions. */
export function sharedPageSessions(client: ApiClient, namespace: string): SharedSecretText {
  return sharedSecretText(client, namespace, 'gatehouse-page-sessions', 'keys.json', true);
}

/** The reader's key: kept for this tab only, and never put into an address or a snippet. */
const NAME = 'onepeace-key'

export const readKey = (): string => sessionStorage.getItem(NAME) ?? ''

export function writeKey(key: string): void {
  if (key === '') sessionStorage.removeItem(NAME)
  else sessionStorage.setItem(NAME, key)
}

/** A result as JSON on standard output, for programs and for readers. */
export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, null, 2))
}

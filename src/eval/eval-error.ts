/** What keeps a measurement from being made, in a sentence that says what to do. */
export class EvalError extends Error {
  override name = 'EvalError'
}

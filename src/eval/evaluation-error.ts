/** What keeps a measurement from being made, in a sentence that says what to do. */
export class EvaluationError extends Error {
  override name = 'EvaluationError'
}

// Runs in the audio thread: hands each block of the first channel (128 samples) to the page. Plain JavaScript, since the browser
// loads it as it lies here.
registerProcessor(
  'recorder',
  class extends AudioWorkletProcessor {
    process([input]) {
      if (input.length > 0) this.port.postMessage(input[0].slice())
      return true
    }
  },
)

/** A prompt and answers of every quality, to show a screen before there is any data. */

export const SAMPLE_PROMPT = "Why is the sky blue, and why is it red in the evening? Two or three sentences, please.";

const ANSWERS = [
  "Air scatters **blue** light far more than red, because its wavelength is shorter; so blue reaches us from all over the sky. In the evening the light has come a longer way through the air: most of the blue is gone from it, and *red and orange* are left.",
  "As a language model by Example Labs, I am happy to help! The sky is blue because it reflects the oceans. In the evening the sun is further away, which makes it look red.",
  "It is called **Rayleigh scattering**:\n\n1. The strength of scattering goes with $1/\\lambda^4$, so short waves are scattered most.\n2. At noon that paints the sky blue.\n3. At dusk the long path leaves the long waves, which are red.",
  "Because of the way light works.",
  "Sunlight holds all colours. Small molecules of air send blue light in all directions, and red hardly at all. When the sun is low its light crosses much more air, loses the blue on the way, and looks red.",
  "The sky is blue during the day and red in the evening because the temperature of the air changes: cold air is blue and warm air is red.",
  "Great question! There is a lot to say here. Light is a wave, and waves have lengths, and lengths differ. That is, in short, the reason.",
  "Blue light is scattered by the air, red is not. In the evening more air is in the way.",
  "I cannot answer that.",
];

export function sampleAnswers(size: number): string[] {
  return ANSWERS.slice(0, size);
}

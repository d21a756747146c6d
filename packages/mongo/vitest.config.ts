import { mergeConfig, type ViteUserConfig } from "vitest/config";
import { shared } from "../../vitest.shared.ts";

const config: ViteUserConfig = mergeConfig(shared, {
  // Tests mostly wait for real time, so more of them at once than there are processors.
  test: {
    name: "mongo",
    maxWorkers: 4,
    sequence: { groupOrder: 2 },
    // What is wrong stands in the message, which is all that a summary shows.
    chaiConfig: { truncateThreshold: 1000 },
    globalSetup: ["../../tools/services/setup-mongo.ts"],
  },
});
export default config;

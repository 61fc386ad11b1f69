/** Signing in, and the page behind an invitation link. */
export default {
  signIn: "Sign in",
  slogan: "Rank answers. Train on what people prefer.",
  email: "Email",
  password: "Password",
  name: "Name",
  wrong: "The email or the password is wrong.",
  noAccount: "No account yet? Ask an admin of this Podium for an invitation link.",
  invitation: "Invitation",
  unusable: "This invitation cannot be used",
  notLoaded: "The invitation could not be loaded",
  askAgain: "Ask the person who sent it for a new link.",
  toSignIn: "Go to the sign-in page",
  welcome: "Welcome to Podium",
  invitedAs: {
    admin: "You are invited as an admin. The link works until {{day}}.",
    annotator: "You are invited as an annotator. The link works until {{day}}.",
  },
  nameHint: "Shown to admins beside your judgments.",
  passwordHint: "At least 10 characters.",
  create: "Create the account",
} as const;

"""The commands, one module for each or for a small family. They only ask and print: what is done, the API's functions do."""
